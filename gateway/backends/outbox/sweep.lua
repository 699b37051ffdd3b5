-- Take the launches that are due out of the hands of whoever parked them. Begins as `lease.lua`.
--
-- ARGV, behind the lease's: the ledger's prefix; the hold in milliseconds; how many.
-- Answers with the token and the parked launches.

local prefix, hold_ms, count = ARGV[4], tonumber(ARGV[5]), ARGV[6]
local outbox = prefix .. 'outbox'
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local taken = {tonumber(token)}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', outbox, '-inf', now_ms, 'LIMIT', 0, count)) do
    local parked = redis.call('GET', prefix .. 'outbox:' .. id)
    if parked then
        redis.call('ZADD', outbox, now_ms + hold_ms, id)
        taken[#taken + 1] = parked
    else
        redis.call('ZREM', outbox, id)
    end
end
return taken
