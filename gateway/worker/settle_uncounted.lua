-- Write down how a task ended, and leave it to be counted. Begins as `tell.lua` and `settle.lua`.
--
-- No worker counts for metrics: a gateway takes it from here. What none takes is bounded, and goes away.
local function settle_uncounted(prefix, id, value, status)
    if not settle(prefix, id, value, status) then return end
    redis.call('RPUSH', prefix .. 'uncounted', id)
    redis.call('LTRIM', prefix .. 'uncounted', -100000, -1)
    redis.call('EXPIRE', prefix .. 'uncounted', 86400)
end
