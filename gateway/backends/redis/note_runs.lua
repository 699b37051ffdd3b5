-- Note what the events of tasks told of their runs: of each kind the latest. Begins as `lease.lua`, `tell.lua` and
-- `note_run.lua`.
--
-- ARGV, behind the lease's: the ledger's prefix; then for each event the task's id, the kind (received_at, started_at), the
-- moment, as text that sorts, and the worker. Nothing is noted of a task that the ledger does not know.
-- Answers with the token.

local prefix = ARGV[4]

local function note(id, kind, moment, worker)
    local left_ms = redis.call('PTTL', prefix .. 'task:' .. id)
    if left_ms > 0 then note_run(prefix, id, kind, moment, worker, left_ms) end
end

for at = 5, #ARGV, 4 do note(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]) end
return {tonumber(token)}
