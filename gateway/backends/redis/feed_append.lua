-- Put a status that was heard into the feed of all tasks, unless another gateway, which hears the same, already has.
--
-- ARGV: the ledger's prefix; where in the feed the caller stands; the record's digest; the task's id; the status.
-- Answers where the caller stands now. As in `log_append.lua`, all gateways hear one sequence.

local feed, at, digest = ARGV[1] .. 'feed', ARGV[2], ARGV[3]
if redis.call('EXISTS', feed) == 0 then return at end
for _, entry in ipairs(redis.call('XRANGE', feed, '(' .. at, '+')) do
    local fields = entry[2]
    for index = 1, #fields, 2 do
        if fields[index] == 'd' and fields[index + 1] == digest then return entry[1] end
    end
end
local id = redis.call('XADD', feed, 'MAXLEN', '~', 10000, '*', 'i', ARGV[4], 's', ARGV[5], 'd', digest)
redis.call('PUBLISH', ARGV[1] .. 'change:*', 'record')
return id
