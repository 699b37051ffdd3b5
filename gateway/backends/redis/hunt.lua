-- Look at every message of a part of a list, or of those in hand. Begins as `read_id.lua`.
--
-- ARGV: the key; where to begin, the cursor of a hash; how many; then the ids that are looked for.
-- Answers with the length of the list or the next cursor, and the ids that were found.

local key, first, count, wanted, found = ARGV[1], ARGV[2], tonumber(ARGV[3]), {}, {}
for at = 4, #ARGV do wanted[ARGV[at]] = true end

local function look(element)
    local id = read_id(element)
    if id and wanted[id] then found[#found + 1] = id end
end

local kind, following = redis.call('TYPE', key).ok, '0'
if kind == 'list' then
    following = tostring(redis.call('LLEN', key))
    for _, element in ipairs(redis.call('LRANGE', key, first, first + count - 1)) do look(element) end
elseif kind == 'hash' then
    local page = redis.call('HSCAN', key, first, 'COUNT', count)
    following = page[1]
    for at = 2, #page[2], 2 do look(page[2][at]) end
end
return {following, unpack(found)}
