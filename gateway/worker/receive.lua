-- Note that tasks were received. Begins as `tell.lua` and `note_run.lua`.
--
-- ARGV: the ledger's prefix; the worker; then for each its id and the moment. Nothing is noted of a task that the ledger does
-- not know.

local prefix, worker = ARGV[1], ARGV[2]
for at = 3, #ARGV, 2 do
    local left_ms = redis.call('PTTL', prefix .. 'task:' .. ARGV[at])
    if left_ms > 0 then note_run(prefix, ARGV[at], 'received_at', ARGV[at + 1], worker, left_ms) end
end
