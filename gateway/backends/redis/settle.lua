-- Write down how a task ended, once, and tell whoever waits for it.
--
-- ARGV: the ledger's prefix; the task's id; its end as JSON; its status.
-- Answers 1 when this was the first word of its end, else 0. What is kept of a task expires with its row.

local prefix, id, value, status = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local left_ms = redis.call('PTTL', prefix .. 'task:' .. id)
redis.call('ZREM', prefix .. 'open', id)
if left_ms <= 0 then return 0 end
if not redis.call('SET', prefix .. 'end:' .. id, value, 'NX', 'PX', left_ms) then return 0 end
if status ~= 'SUCCESS' then
    local ended = prefix .. 'ended:' .. status
    redis.call('ZADD', ended, 0, id)
    redis.call('PEXPIRE', ended, left_ms, 'NX')
    redis.call('PEXPIRE', ended, left_ms, 'GT')
end
redis.call('PUBLISH', prefix .. 'change:' .. id, status)
return 1
