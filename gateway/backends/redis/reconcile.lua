-- Do about a lost task what was decided, unless somebody has seen it meanwhile. Begins as `lease.lua`, `tell.lua`, `settle.lua`,
-- `claims.lua` and `read_id.lua`.
--
-- ARGV, behind the lease's: the ledger's prefix; the task's id; the moment; its end as JSON and its status, or two times
-- nothing; its list, or nothing when the broker is another one; the message; Kombu's hash of those in hand.
-- Answers with the token, and 1 when it was done; with the token alone when the lease was lost, or there was nothing to do.

local prefix, id, moment, value, status, list, message, unacked = unpack(ARGV, 4)
if token ~= ARGV[2] then return {tonumber(token)} end
local NEAR = 64

local function is_near(from, to)
    for _, element in ipairs(redis.call('LRANGE', list, from, to)) do
        if read_id(element) == id then return true end
    end
end

local function is_seen()
    local claim = read_claim(prefix, id)
    if redis.call('EXISTS', prefix .. 'end:' .. id, prefix .. 'revoke:' .. id) > 0 then return true end
    if claim and (claim.left_ms > 0 or claim.token == LEFT) then return true end
    if redis.call('ZSCORE', prefix .. 'outbox', id) then return true end
    if list == '' then return false end
    return redis.call('HEXISTS', unacked, id) == 1 or is_near(0, NEAR - 1) or is_near(-NEAR, -1)
end

local left_ms = redis.call('PTTL', prefix .. 'task:' .. id)
if left_ms <= 0 or is_seen() then return {tonumber(token)} end
if value ~= '' then
    settle(prefix, id, value, status)
    return {tonumber(token), 1}
end
local key = prefix .. 'run:' .. id
local run = cjson.decode(redis.call('GET', key) or '{}')
run.redeliveries = (run.redeliveries or 0) + 1
run.redelivered_at = moment
local noted = cjson.encode(run)
redis.call('SET', key, noted, 'PX', left_ms)
-- It has waited already: it leaves the queue next.
if list ~= '' then redis.call('RPUSH', list, message) end
tell(prefix, id, 'run', noted)
return {tonumber(token), 1}
