-- Settle tasks, and note of others that they have started. Begins as `lease.lua`, `tell.lua` and `settle.lua`.
--
-- ARGV, behind the lease's: the ledger's prefix; how many have ended; for each its id, its end as JSON and its status;
-- then for each that has started its id and its worker, or nothing for one that is not known.
-- Answers with the token and the ids of those whose first end this was; with the token alone, and nothing is written, when the lease was lost.

if token ~= ARGV[2] then return {tonumber(token)} end
local prefix, ended, answer = ARGV[4], tonumber(ARGV[5]), {tonumber(token)}
for at = 6, 6 + 3 * (ended - 1), 3 do
    if settle(prefix, ARGV[at], ARGV[at + 1], ARGV[at + 2]) then answer[#answer + 1] = ARGV[at] end
end

-- An expired record must not turn a status back; whoever noted a moment knows more.
local function note_start(id, worker)
    local key, left_ms = prefix .. 'run:' .. id, redis.call('PTTL', prefix .. 'task:' .. id)
    local run = cjson.decode(redis.call('GET', key) or '{}')
    if left_ms <= 0 or run.started_at or run.is_started then return end
    run.is_started = true
    if worker ~= '' then run.worker = worker end
    local value = cjson.encode(run)
    redis.call('SET', key, value, 'PX', left_ms)
    tell(prefix, id, 'run', value)
end

for at = 6 + 3 * ended, #ARGV, 2 do note_start(ARGV[at], ARGV[at + 1]) end
return answer
