-- Take the launches that are due out of the hands of whoever parked them, if this process may sweep.
--
-- ARGV: the ledger's prefix; the caller's fencing token, 0 for none; the lease and the hold in milliseconds; how many.
-- Answers with the token and the parked launches; with nothing while another process holds the lease.
-- A token that is not the lease's is refused: whoever slept past its lease gets a new one like anybody else.

local prefix, token, lease_ms, hold_ms, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local lease, outbox = prefix .. 'sweeper', prefix .. 'outbox'
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local holder = redis.call('GET', lease)
if holder and holder ~= token then return {} end
if not holder then
    token = redis.call('INCR', prefix .. 'sweeper:fence')
end
redis.call('SET', lease, token, 'PX', lease_ms)

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
