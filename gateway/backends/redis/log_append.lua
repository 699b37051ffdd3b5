-- Put a record that was heard into a log, unless another gateway, which hears the same in the same order, already has.
--
-- ARGV: the ledger's prefix; the task's id; where in the log the caller stands, and 1 if the entry there counts too; the
-- record's digest, its two ends and its size. Answers where the caller stands now.
-- All hear the same sequence: what the caller hears is either the next entry of that digest behind where it stands, or news.

local log, at, digest = ARGV[1] .. 'log:' .. ARGV[2], ARGV[3], ARGV[5]
if redis.call('EXISTS', log) == 0 then return at end
local from = ARGV[4] == '1' and at or '(' .. at
for _, entry in ipairs(redis.call('XRANGE', log, from, '+')) do
    local fields = entry[2]
    for index = 1, #fields, 2 do
        if fields[index] == 'd' and fields[index + 1] == digest then return entry[1] end
    end
end
local id = redis.call('XADD', log, 'MAXLEN', '~', 1000, '*', 'k', 'record', 'd', digest, 'h', ARGV[6], 't', ARGV[7],
    'n', ARGV[8])
redis.call('PUBLISH', ARGV[1] .. 'change:' .. ARGV[2], 'record')
return id
