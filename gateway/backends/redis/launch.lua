-- Launches, each with the conditions under which it may happen: decided first, then done, all in one step. Begins as
-- `revocation.lua`.
--
-- ARGV: the ledger's prefix; the parcels as MessagePack, [[is_whole, [order, ...]], ...] with
--   order = [task_id, keep_s, list or nil, guards or nil, index, row, message] and
--   index = [task_type, longest_keep_s, batch or nil, root or nil].
-- KEYS: none. The keys are many, and of one server: Celery's Redis transport does not run on a Cluster.
-- Answers with what is exceptional only, or asked for: [[parcel, order, word, ...], ...], counted from 0.
--
-- Nothing is written before the first order has been decided, and after a write nothing fails: Redis refuses a script
-- that is out of memory, read-only or cannot save at its first write.

local prefix, parcels = ARGV[1], cmsgpack.unpack(ARGV[2])
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, kinds = {}, {}
local row_key, outbox, parked_key = prefix .. 'task:', prefix .. 'outbox', prefix .. 'outbox:'
local history, history_of_type, history_of_batch, open, chain, feed =
    prefix .. 'history', prefix .. 'history:type:', prefix .. 'history:batch:', prefix .. 'open', prefix .. 'chain:',
    prefix .. 'feed'

-- Of all orders, to be written at once: messages by list, ids by history, ids that were opened, how many there were of each
-- task type; and for how long, in seconds, each index is kept.
local pushed, noted, opened, lives, launched = {}, {}, {}, {}, {}

local function gather(lists, key, value)
    local list = lists[key] or {}
    list[#list + 1] = value
    lists[key] = list
end

local function is_list(key)
    if not kinds[key] then kinds[key] = redis.call('TYPE', key).ok end
    return kinds[key] == 'none' or kinds[key] == 'list'
end

-- The live holders of a slot, the oldest first: those in Redis, then those of this parcel.
local function find_holders(slot, planned)
    local holders, is_finished = {}, {}
    for _, id in ipairs(slot.finished) do is_finished[id] = true end
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', slot.key, now_ms, '+inf')) do
        if not is_finished[id] then holders[#holders + 1] = id end
    end
    for _, id in ipairs(planned[slot.key] or {}) do holders[#holders + 1] = id end
    return holders
end

local function decide_slot(slot, planned)
    local holders = find_holders(slot, planned)
    slot.replaced = {}
    if #holders < slot.limit then return nil end
    if not slot.may_replace then return {'held', unpack(holders)} end
    for index = 1, #holders - slot.limit + 1 do slot.replaced[index] = holders[index] end
end

local function decide_queue(guards, planned)
    local depth = planned[guards.lists[1]] or 0
    for _, list in ipairs(guards.lists) do depth = depth + redis.call('LLEN', list) + #(pushed[list] or {}) end
    if depth >= guards.max_queued then return {'deep', depth} end
end

-- What was launched lately under a quota: read once in a run, counted here, written at its end. A period is counted in
-- PARTS parts, each by itself: a launch counts for its whole period, and for up to one part longer.
local PARTS = 100
local meters = {}

local function read_meter(key, part_ms)
    if meters[key] then return meters[key] end
    local meter = {part_ms = part_ms, now = math.floor(now_ms / part_ms), used = 0, added = 0, parts = {}, stale = {}}
    local fields = redis.call('HGETALL', key)
    for index = 1, #fields, 2 do
        local part, count = tonumber(fields[index]), tonumber(fields[index + 1])
        if math.abs(meter.now - part) <= PARTS then
            meter.used = meter.used + count
            meter.parts[#meter.parts + 1] = {part, count}
        else
            meter.stale[#meter.stale + 1] = fields[index]
        end
    end
    table.sort(meter.parts, function(one, other) return one[1] < other[1] end)
    meters[key] = meter
    return meter
end

-- In how many milliseconds so many launches count no longer; a whole period where those here are fewer.
local function find_wait(meter, excess)
    for _, part in ipairs(meter.parts) do
        excess = excess - part[2]
        if excess <= 0 then return math.max(1, (part[1] + PARTS + 1) * meter.part_ms - now_ms) end
    end
    return (PARTS + 1) * meter.part_ms
end

-- What is left of quotas, and in how many milliseconds there is more: two numbers for each.
local function tell_rooms(quotas)
    local rooms = {}
    for _, quota in ipairs(quotas) do
        local meter = read_meter(quota[1], quota[3])
        rooms[#rooms + 1] = math.max(0, quota[2] - meter.used - meter.added)
        rooms[#rooms + 1] = find_wait(meter, 1)
    end
    return rooms
end

local function decide_rate(quotas, planned)
    local most, longest_ms = nil, 0
    for number, quota in ipairs(quotas) do
        local meter = read_meter(quota[1], quota[3])
        local excess = meter.used + meter.added + (planned[quota[1]] or 0) + 1 - quota[2]
        if excess > 0 then
            local wait_ms = find_wait(meter, excess)
            if wait_ms > longest_ms then most, longest_ms = number, wait_ms end
        end
    end
    if most then return {'limited', most - 1, longest_ms, tell_rooms(quotas)} end
end

local function use_quotas(quotas)
    for _, quota in ipairs(quotas) do
        local meter = meters[quota[1]]
        meter.added = meter.added + 1
    end
    return tell_rooms(quotas)
end

local function write_meters()
    for key, meter in pairs(meters) do
        if meter.added > 0 then
            redis.call('HINCRBY', key, meter.now, meter.added)
            redis.call('PEXPIRE', key, (PARTS + 1) * meter.part_ms)
            if #meter.stale > 0 then redis.call('HDEL', key, unpack(meter.stale)) end
        end
    end
end

-- Tell why an order may not happen, or nil; `planned` holds what the orders of its parcel before it will take.
local function decide(order, planned)
    local list, guards = order[3], order[4]
    if list and not is_list(list) then return {'refused', 'WRONGTYPE'} end
    if not guards then return nil end
    for number, claim in ipairs(guards.claims) do
        local known = not claim.is_forced and redis.call('GET', claim.key)
        if known then return {'known', known, number - 1} end
    end
    if guards.outbox_limit then
        if redis.call('ZCARD', outbox) + (planned[outbox] or 0) >= guards.outbox_limit then return {'backlog'} end
    end
    local refusal = nil
    if guards.max_queued then refusal = decide_queue(guards, planned) end
    if not refusal and guards.slot then refusal = decide_slot(guards.slot, planned) end
    if not refusal and guards.quotas then refusal = decide_rate(guards.quotas, planned) end
    return refusal
end

local function plan(order, planned)
    local list, guards = order[3], order[4]
    local pool = list or outbox
    planned[pool] = (planned[pool] or 0) + 1
    if not guards then return end
    if guards.max_queued and guards.lists[1] ~= pool then
        planned[guards.lists[1]] = (planned[guards.lists[1]] or 0) + 1
    end
    if guards.slot then
        planned[guards.slot.key] = planned[guards.slot.key] or {}
        table.insert(planned[guards.slot.key], order[1])
    end
    for _, quota in ipairs(guards.quotas or {}) do planned[quota[1]] = (planned[quota[1]] or 0) + 1 end
end

local function take_slot(id, slot)
    redis.call('ZREMRANGEBYSCORE', slot.key, '-inf', '(' .. now_ms)
    for _, gone in ipairs(slot.finished) do redis.call('ZREM', slot.key, gone) end
    for _, gone in ipairs(slot.replaced) do
        redis.call('ZREM', slot.key, gone)
        local since = redis.call('ZSCORE', outbox, gone)
        redis.call('ZREM', outbox, gone)
        redis.call('DEL', parked_key .. gone)
        note_revocation(prefix, gone, slot.revocation, slot.moment, tonumber(since or 1) == 0 and 'confirmed' or '')
    end
    redis.call('ZADD', slot.key, now_ms + slot.lease_ms, id)
    redis.call('PEXPIREAT', slot.key, redis.call('ZRANGE', slot.key, -1, -1, 'WITHSCORES')[2])
    return slot.replaced
end

local is_feed_followed = nil

-- Tell whoever follows the feed of all tasks; asked for once, and only where something is launched.
local function tell_launch(id)
    if is_feed_followed == nil then is_feed_followed = redis.call('EXISTS', feed) == 1 end
    if is_feed_followed then
        redis.call('XADD', feed, 'MAXLEN', '~', 10000, '*', 'i', id, 's', 'PENDING')
        redis.call('PUBLISH', prefix .. 'change:*', 'PENDING')
    end
end

local function lengthen(key, keep_s)
    lives[key] = math.max(lives[key] or 0, keep_s)
end

local function note(key, id, keep_s)
    gather(noted, key, id)
    lengthen(key, keep_s)
end

local function index(id, keep_s, task_type, longest_keep_s, batch, root)
    launched[task_type] = (launched[task_type] or 0) + 1
    note(history, id, longest_keep_s)
    note(history_of_type .. task_type, id, keep_s)
    opened[#opened + 1] = 0
    opened[#opened + 1] = id
    lengthen(open, longest_keep_s)
    if batch then note(history_of_batch .. batch, id, keep_s) end
    if root then
        redis.call('APPEND', chain .. root, id)
        lengthen(chain .. root, keep_s)
    end
end

-- An entry of a history holds many ids, as it costs as much as many; `history.py` reads no more than so many too many.
local IDS_PER_ENTRY = 16

-- A history forgets what is older than the launches it holds are kept.
local function write_gathered()
    for list, messages in pairs(pushed) do redis.call('LPUSH', list, unpack(messages)) end
    if #opened > 0 then redis.call('ZADD', open, unpack(opened)) end
    for key, ids in pairs(noted) do
        for first = 1, #ids, IDS_PER_ENTRY do
            local last = math.min(first + IDS_PER_ENTRY - 1, #ids)
            redis.call('XADD', key, '*', 't', table.concat(ids, '', first, last))
        end
        redis.call('XTRIM', key, 'MINID', '~', now_ms - lives[key] * 1000)
    end
    for key, keep_s in pairs(lives) do redis.call('EXPIRE', key, keep_s) end
    for task_type, count in pairs(launched) do
        redis.call('HINCRBY', prefix .. 'totals', task_type .. '|launched', count)
    end
end

-- Do an order; return the tasks that it replaced, and what it leaves of its quotas.
local function perform(order)
    local id, keep_s, list, guards, _, row, message = unpack(order, 1, 7)
    if list then gather(pushed, list, message) end
    redis.call('SET', row_key .. id, row, 'EX', keep_s)
    index(id, keep_s, unpack(order[5], 1, 4))
    tell_launch(id)
    if not guards then return nil, nil end
    if guards.hold_ms then
        -- 0 is said of what the broker surely does not have.
        redis.call('ZADD', outbox, guards.hold_ms > 0 and now_ms + guards.hold_ms or 0, id)
        redis.call('SET', parked_key .. id, message, 'EX', keep_s)
    end
    for _, claim in ipairs(guards.claims) do redis.call('SET', claim.key, claim.value, 'EX', claim.keep_s) end
    local replaced = guards.slot and take_slot(id, guards.slot)
    return replaced, guards.quotas and use_quotas(guards.quotas)
end

-- Decide one order and keep what stands against it.
local function judge(order, planned)
    local is_sound, refusal = pcall(decide, order, planned)
    if not is_sound then return {'refused', tostring(refusal)} end
    return refusal
end

local function answer(parcel, order, words)
    answers[#answers + 1] = {parcel - 1, order - 1, unpack(words)}
end

local function run(parcel, index, order)
    local replaced, rooms = perform(order)
    if rooms or (replaced and #replaced > 0) then answer(parcel, index, {'done', replaced or {}, rooms or {}}) end
end

for number, parcel in ipairs(parcels) do
    local is_whole, orders, refusals, planned = parcel[1], parcel[2], 0, {}
    for index, order in ipairs(orders) do
        local refusal = judge(order, planned)
        if refusal then
            refusals = refusals + 1
            answer(number, index, refusal)
        elseif is_whole then
            plan(order, planned)
        else
            run(number, index, order)
        end
    end
    if is_whole and refusals == 0 then
        for index, order in ipairs(orders) do run(number, index, order) end
    end
end
write_gathered()
write_meters()
return answers
