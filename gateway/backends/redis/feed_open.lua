-- Begin the feed of all tasks, unless there is one, and ask every gateway to write what it hears into it.
--
-- ARGV: the ledger's prefix; how long the feed and the wish to follow live, in milliseconds. Answers with its last entry.

local feed, streams = ARGV[1] .. 'feed', ARGV[1] .. 'streams'
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', feed) == 0 then redis.call('XADD', feed, '*', 'i', '', 's', '') end
redis.call('PEXPIRE', feed, ARGV[2])
redis.call('ZADD', streams, now_ms + ARGV[3], '*')
redis.call('PEXPIRE', streams, ARGV[2])
redis.call('PUBLISH', streams, '*')
return redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)[1][1]
