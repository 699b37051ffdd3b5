-- Look at the next members of a set of tasks, and drop those whose rows have expired. Begins as `lease.lua`.
--
-- ARGV, behind the lease's: the ledger's prefix; the set's name; an id, or nothing to begin; how many.
-- Answers with the token, how many the set holds, the id to go on behind, or nothing at its end, and the ids that are left.

local prefix, set, after, count = ARGV[4], ARGV[4] .. ARGV[5], ARGV[6], tonumber(ARGV[7])
local ids = redis.call('ZRANGEBYLEX', set, after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, count)
local left, rows = {}, {}
for at, id in ipairs(ids) do rows[at] = prefix .. 'task:' .. id end
if #ids > 0 and redis.call('EXISTS', unpack(rows)) == #ids then
    left = ids
else
    for at, id in ipairs(ids) do
        if redis.call('EXISTS', rows[at]) == 1 then
            left[#left + 1] = id
        else
            redis.call('ZREM', set, id)
        end
    end
end
return {tonumber(token), redis.call('ZCARD', set), #ids == count and ids[count] or '', left}
