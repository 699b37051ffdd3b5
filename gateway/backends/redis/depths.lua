-- Tell how much waits in queues, and the oldest message of each list: messages are pushed at the head and taken at the tail.
-- Begins as `read_id.lua`.
--
-- ARGV: how many lists each queue has; the lists, queue by queue.
-- Answers for each queue with how many messages wait, and with the ids that stand in the headers of the oldest, or nothing.
-- Only the id leaves Redis: a message may be large.

local width, answer = tonumber(ARGV[1]), {}
for first = 2, #ARGV, width do
    local waiting, ids = 0, {}
    for at = first, first + width - 1 do
        local length = redis.pcall('LLEN', ARGV[at])
        if type(length) == 'number' and length > 0 then
            waiting = waiting + length
            ids[#ids + 1] = read_id(redis.call('LINDEX', ARGV[at], -1)) or ''
        end
    end
    answer[#answer + 1] = {waiting, table.concat(ids, ' ')}
end
return answer
