-- Tell that something about a task has changed: in its log, if somebody follows it, and to whoever waits now.
--
-- `kind` is the part of the ledger that changed (run, revoke, end), `value` what stands there now.
local LOG_LENGTH = 1000

local function tell(prefix, id, kind, value)
    local log = prefix .. 'log:' .. id
    if redis.call('EXISTS', log) == 1 then
        redis.call('XADD', log, 'MAXLEN', '~', LOG_LENGTH, '*', 'k', kind, 'h', value)
    end
    redis.call('PUBLISH', prefix .. 'change:' .. id, kind)
end
