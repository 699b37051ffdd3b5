-- Note a moment of a run: of each kind (received_at, started_at) the latest counts. Begins as `tell.lua`.
--
-- Moments are text that sorts; `left_ms` is what is left of the task's row, with which what is noted expires.
local function note_run(prefix, id, kind, moment, worker, left_ms)
    local key = prefix .. 'run:' .. id
    local run = cjson.decode(redis.call('GET', key) or '{}')
    if (run[kind] or '') >= moment then return end
    run[kind] = moment
    if moment >= (run.received_at or '') and moment >= (run.started_at or '') then run.worker = worker end
    local value = cjson.encode(run)
    redis.call('SET', key, value, 'PX', left_ms)
    if redis.call('EXISTS', prefix .. 'end:' .. id) == 0 then tell(prefix, id, 'run', value) end
end
