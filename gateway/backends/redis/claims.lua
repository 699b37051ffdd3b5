-- Begin a script that deals with claims.
--
-- A claim says who runs a task: until when (milliseconds of Redis's clock), the run's token, how often Celery had retried
-- the task by then, the worker. It outlives its lease, so that a dead holder can be told from none. A token of FREE has no
-- holder: the claim only remembers the retries. One of LEFT has none either, as the task itself wanted to go on elsewhere, or
-- to be ignored: nobody may take it for lost. A claim expires with its row.

local FREE, LEFT = '-', '='
local AT_MOST_ONCE = '{"delivery":"at_most_once"'  -- how such a row begins
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local function read_claim(prefix, id)
    local stored = redis.call('GET', prefix .. 'claim:' .. id)
    if not stored then return nil end
    local until_ms, token, retries, worker = string.match(stored, '^(%d+) (%S+) (%d+) (.*)$')
    return {token = token, retries = tonumber(retries), worker = worker, left_ms = math.max(0, tonumber(until_ms) - now_ms)}
end

local function is_free(claim)
    return claim.token == FREE or claim.token == LEFT
end

local function write_claim(prefix, id, token, lease_ms, retries, worker, left_ms)
    local value = string.format('%.0f %s %d %s', now_ms + lease_ms, token, retries, worker)
    redis.call('SET', prefix .. 'claim:' .. id, value, 'PX', left_ms)
end

local function runs_at_most_once(prefix, id)
    return redis.call('GETRANGE', prefix .. 'task:' .. id, 0, #AT_MOST_ONCE - 1) == AT_MOST_ONCE
end

-- The end of a task of which nobody can know whether it ran to its end.
local function write_unknown(claim, moment)
    local message = 'the worker ' .. claim.worker .. ' died while it ran this task, which runs at most once'
    local error = {type = 'WorkerDied', message = message}
    return cjson.encode({status = 'UNKNOWN', finished_at = moment, worker = claim.worker, error = error})
end
