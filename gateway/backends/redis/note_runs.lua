-- Note what the events of tasks told of their runs: of each kind the latest. Begins as `lease.lua` and `tell.lua`.
--
-- ARGV, behind the lease's: the ledger's prefix; then for each event the task's id, the kind (received_at, started_at), the
-- moment, as text that sorts, and the worker. Nothing is noted of a task that the ledger does not know.
-- Answers with the token.

local prefix = ARGV[4]

local function note(id, kind, moment, worker)
    local left_ms, key = redis.call('PTTL', prefix .. 'task:' .. id), prefix .. 'run:' .. id
    if left_ms <= 0 then return end
    local run = cjson.decode(redis.call('GET', key) or '{}')
    if (run[kind] or '') >= moment then return end
    run[kind] = moment
    if moment >= (run.received_at or '') and moment >= (run.started_at or '') then run.worker = worker end
    local value = cjson.encode(run)
    redis.call('SET', key, value, 'PX', left_ms)
    if redis.call('EXISTS', prefix .. 'end:' .. id) == 0 then tell(prefix, id, 'run', value) end
end

for at = 5, #ARGV, 4 do note(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]) end
return {tonumber(token)}
