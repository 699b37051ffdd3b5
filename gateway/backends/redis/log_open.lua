-- Begin the log of a task, unless there is one, and ask every gateway to follow the task into it.
--
-- ARGV: the ledger's prefix; the task's id; how long the log and the wish to follow live, in milliseconds; the digest and
-- the two ends of the result backend's record as the caller saw it, with its size; an empty digest for none.
-- The first entry is all that is known at this moment: what comes later is applied to it in order.

local prefix, id, keep_ms, follow_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local log, streams = prefix .. 'log:' .. id, prefix .. 'streams'
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

if redis.call('EXISTS', log) == 0 then
    local parts = redis.call('MGET', prefix .. 'run:' .. id, prefix .. 'revoke:' .. id, prefix .. 'end:' .. id)
    redis.call('XADD', log, '*', 'k', 'start', 'run', parts[1] or '', 'revoke', parts[2] or '', 'end', parts[3] or '',
        'd', ARGV[5], 'h', ARGV[6], 't', ARGV[7], 'n', ARGV[8])
end
redis.call('PEXPIRE', log, keep_ms)
redis.call('ZREMRANGEBYSCORE', streams, '-inf', now_ms)
redis.call('ZADD', streams, now_ms + follow_ms, id)
redis.call('PEXPIRE', streams, keep_ms)
redis.call('PUBLISH', streams, id)
