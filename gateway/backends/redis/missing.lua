-- Look which of the open tasks have left their queue, and are not claimed. Begins as `lease.lua` and `claims.lua`.
--
-- ARGV, behind the lease's: the ledger's prefix; the request as JSON: ids, or after, before and count; lists, with the answer
-- of `survey.lua` for each by its name; head, separator and steps, as Kombu names the lists of a queue.
-- Answers with the token; the id to go on behind, or nothing; the workers alive that have the kit; those that were heard of in
-- the last hour, at most 500; the queues that were not surveyed; then for each that is missing its id, how often it was retried, and 1 if a dead worker's claim is on it.

local prefix, request = ARGV[4], cjson.decode(ARGV[5])
local horizons, seen, unsurveyed = {}, {}, {}
for name, words in pairs(request.lists) do
    horizons[name] = words[1]
    for at = 2, #words do seen[words[at]] = true end
end

local function name_list(queue, priority)
    local chosen = 0
    for _, step in ipairs(request.steps) do
        if step <= math.min(priority, 9) then chosen = step end
    end
    return request.head .. queue .. (chosen > 0 and request.separator .. string.format('%d', chosen) or '')
end

-- A row begins with what is read here; see `LedgerEntry`.
local function read_head(head)
    local rest = string.sub(head, 1, #AT_MOST_ONCE) == AT_MOST_ONCE and string.sub(head, #AT_MOST_ONCE + 2) or string.sub(head, 2)
    local queue, behind = string.match(rest, '^"queue":"([^"\\]*)",()')
    if not queue then return {} end
    return {list = name_list(queue, tonumber(string.match(rest, '^"priority":(%d+)', behind) or 0)), queue = queue}
end

-- Few heads are different, and reading one costs more than all else that is done for a task.
local places = {}

local function find_place(row)
    local head = string.match(row, '^.-"task_id"') or ''
    local place = places[head] or read_head(head)
    places[head] = place
    return place
end

local function has_left(id, row)
    local place = find_place(row)
    if not place.list or seen[id] then return false end
    if not horizons[place.list] then
        unsurveyed[place.queue] = true
        return false
    end
    return id < horizons[place.list]
end

local missing = {}

local function look(id)
    local row = redis.call('GETRANGE', prefix .. 'task:' .. id, 0, 511)
    if row == '' or not has_left(id, row) then return end
    local claim = read_claim(prefix, id)
    if claim and (claim.left_ms > 0 or claim.token == LEFT) then return end
    if redis.call('ZSCORE', prefix .. 'outbox', id) or redis.call('EXISTS', prefix .. 'end:' .. id) == 1 then return end
    missing[#missing + 1] = id
    missing[#missing + 1] = claim and claim.retries or 0
    missing[#missing + 1] = claim and not is_free(claim) and 1 or 0
end

local ids = request.ids
if not ids then
    local from = request.after == '' and '-' or '(' .. request.after
    ids = redis.call('ZRANGEBYLEX', prefix .. 'open', from, '(' .. request.before, 'LIMIT', 0, request.count)
end
for _, id in ipairs(ids) do look(id) end
local following = not request.ids and #ids == request.count and ids[#ids] or ''
local queues = {}
for queue in pairs(unsurveyed) do queues[#queues + 1] = queue end
local alive = redis.call('ZRANGEBYSCORE', prefix .. 'kits', now_ms, '+inf')
local known = redis.call('ZREVRANGEBYSCORE', prefix .. 'workers', '+inf', now_ms / 1000 - 3600, 'LIMIT', 0, 500)
return {tonumber(token), following, alive, known, queues, unpack(missing)}
