-- Tell that something about a task has changed: in its log, if somebody follows it, and to whoever waits now; in the feed
-- of all tasks, if somebody follows that.
--
-- `kind` is the part of the ledger that changed (run, revoke, end), `value` what stands there now, as JSON.
local LOG_LENGTH, FEED_LENGTH = 1000, 10000

local function tell_feed(prefix, id, status)
    local feed = prefix .. 'feed'
    if redis.call('EXISTS', feed) == 1 then
        redis.call('XADD', feed, 'MAXLEN', '~', FEED_LENGTH, '*', 'i', id, 's', status)
        redis.call('PUBLISH', prefix .. 'change:*', status)
    end
end

local function tell(prefix, id, kind, value)
    local log = prefix .. 'log:' .. id
    if redis.call('EXISTS', log) == 1 then
        redis.call('XADD', log, 'MAXLEN', '~', LOG_LENGTH, '*', 'k', kind, 'h', value)
    end
    redis.call('PUBLISH', prefix .. 'change:' .. id, kind)
    if kind == 'end' then
        tell_feed(prefix, id, cjson.decode(value).status)
    elseif kind == 'run' then
        local run = cjson.decode(value)
        if run.started_at or run.received_at then tell_feed(prefix, id, run.started_at and 'STARTED' or 'RECEIVED') end
    end
end
