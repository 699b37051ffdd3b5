-- Gives back one unit of a quota, out of the part of its period that was used last; see `launch.lua`.
--
-- KEYS: how much of the quota was used, by part.

local last = nil
local fields = redis.call('HGETALL', KEYS[1])
for index = 1, #fields, 2 do
    local part, count = tonumber(fields[index]), tonumber(fields[index + 1])
    if count > 0 and (not last or part > last) then last = part end
end
if last then redis.call('HINCRBY', KEYS[1], last, -1) end
