-- Look at the oldest messages of lists. Begins as `read_id.lua`.
--
-- ARGV: how many messages of each; then the lists.
-- Answers for each list with the horizon, and the ids that were seen. Messages leave a list in the order in which they came,
-- and the ids of launches grow with time: what is older than the horizon has left the list, unless it is among those seen,
-- or was put back at its other end. The horizon of a list that was seen whole is behind every id.

local count, answer = tonumber(ARGV[1]), {}

local function survey(list)
    if redis.call('TYPE', list).ok ~= 'list' then return {'~'} end
    local seen = {redis.call('LLEN', list) > count and '' or '~'}
    for _, element in ipairs(redis.call('LRANGE', list, -count, -1)) do
        local id = read_id(element)
        if id then
            if seen[1] == '' and string.sub(id, 15, 15) == '7' then seen[1] = id end
            seen[#seen + 1] = id
        end
    end
    return seen
end

for at = 2, #ARGV do answer[#answer + 1] = survey(ARGV[at]) end
return answer
