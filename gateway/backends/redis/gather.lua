-- Read all that is kept of tasks, as two strings: a client takes these apart faster than one reply for each.
--
-- ARGV: how many heads there are; the heads of the keys; the tasks' ids.
-- Answers with the lengths of the values, -1 for each that is missing, and all values in one.

local heads = tonumber(ARGV[1])
local keys = {}
for at = heads + 2, #ARGV do
    for head = 2, heads + 1 do keys[#keys + 1] = ARGV[head] .. ARGV[at] end
end
local values, lengths = redis.call('MGET', unpack(keys)), {}
for at, value in ipairs(values) do
    lengths[at] = value and #value or -1
    values[at] = value or ''
end
return {table.concat(lengths, ' '), table.concat(values)}
