-- Take messages out of the lists of a queue, and out of the hands from which Kombu would put them back. Begins as
-- `revocation.lua` and `read_id.lua`.
--
-- ARGV: the ledger's prefix where it is in this Redis, else ''; the wish as JSON; the moment; the request as JSON:
--   lists; ids; started, those of them that a worker is said to run; first, from where the first list is searched, or null
--   to look where the messages should be; count, how many elements; unacked, Kombu's hash and its index.
-- Answers with the length of the list that was searched, then an id and a word, as `note_revocation` takes them, for each
-- message that was taken.
--
-- An element is found by the id in its headers, and removed by its place: marked, then all marks at once. Nobody sees a
-- mark, as a script is one step. Messages are JSON with a body in base64, so whatever stands in them in plain quotes is
-- Celery's own; what is found is decoded before it is believed.

local prefix, wish, moment, request = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local MARK = 'withdrawn by the task gateway'
local NEAR = 32
local wanted, started, answer = {}, {}, {}
for _, id in ipairs(request.ids) do wanted[id] = true end
for _, id in ipairs(request.started) do started[id] = true end

-- Say what it means that this message is taken: one that was put back into the queue may still be in a worker's hands.
local function judge(element, id)
    local is_sound, message = pcall(cjson.decode, element)
    local headers = is_sound and type(message) == 'table' and message.headers
    if type(headers) ~= 'table' or headers.id ~= id then return nil end
    return (headers.redelivered or started[id]) and 'withdrawn' or 'confirmed'
end

local function take(id, word)
    answer[#answer + 1] = id
    answer[#answer + 1] = word
    if prefix ~= '' then note_revocation(prefix, id, wish, moment, word) end
end

local marked, taken = {}, {}  -- places in the present list; ids

local function search(list, first, count)
    for offset, element in ipairs(redis.call('LRANGE', list, first, first + count - 1)) do
        local id = read_id(element)
        local word = id and wanted[id] and judge(element, id)
        if word then
            redis.call('LSET', list, first + offset - 1, MARK)
            marked[#marked + 1] = first + offset - 1
            taken[id] = true
            take(id, word)
        end
    end
end

-- Remove the marks of a list from the end that is nearer to all of them.
local function sweep(list, length)
    if #marked == 0 then return end
    local from_head = math.max(unpack(marked)) < length - math.min(unpack(marked))
    redis.call('LREM', list, from_head and #marked or -#marked, MARK)
    marked = {}
end

-- The id of the launch at a place, or near it where others' messages stand between ours.
local function probe(list, index)
    for step = 0, 3 do
        local element = redis.call('LINDEX', list, index + step)
        local id = element and read_id(element)
        if id and string.sub(id, 15, 15) == '7' then return id end
    end
end

-- Where a launch should be: the ids of launches grow with time, and the newest is at the head.
local function guess(list, length, id)
    local low, high = 0, length - 1
    while low < high do
        local middle = math.floor((low + high) / 2)
        local other = probe(list, middle)
        if not other then return middle end
        if other > id then low = middle + 1 else high = middle end
    end
    return low
end

-- Look where the messages should be, and at both ends, where those are that were put back.
local function look(list)
    local length = redis.call('LLEN', list)
    search(list, 0, 2 * NEAR)
    if length > 2 * NEAR then search(list, math.max(2 * NEAR, length - 2 * NEAR), 2 * NEAR) end
    for _, id in ipairs(request.ids) do
        if length > 4 * NEAR and not taken[id] then
            search(list, math.max(0, guess(list, length, id) - NEAR), 2 * NEAR)
        end
    end
    sweep(list, length)
end

if request.first ~= cjson.null then
    local list = request.lists[1]
    local length = redis.call('LLEN', list)
    search(list, request.first, request.count)
    sweep(list, length)
    table.insert(answer, 1, length)
    return answer
end
for _, list in ipairs(request.lists) do look(list) end
for _, id in ipairs(request.ids) do
    redis.call('ZREM', request.unacked[2], id)
    if redis.call('HDEL', request.unacked[1], id) == 1 then take(id, 'withdrawn') end
end
table.insert(answer, 1, 0)
return answer
