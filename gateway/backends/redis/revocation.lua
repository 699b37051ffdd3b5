-- Begin a script that notes revokes: `note_revocation` writes down a wish, and what is certain of it. Begins as `tell.lua`.
--
-- The first wish stands until one terminates; what was certain stays. Nothing is noted of a task that has ended, or is not
-- remembered. The index `revoked` holds those of which it is not certain that they do not run, by the time of the wish:
-- the newest 10,000, which workers are told when they start.

local MOST_REVOKED = 10000

-- `word` is what became of the message: '' nothing, 'withdrawn' taken from the broker, 'confirmed' nobody had it yet.
local function note_revocation(prefix, id, wish, moment, word)
    local left_ms = redis.call('PTTL', prefix .. 'task:' .. id)
    if left_ms <= 0 or redis.call('EXISTS', prefix .. 'end:' .. id) == 1 then return end
    local key, index = prefix .. 'revoke:' .. id, prefix .. 'revoked'
    local stored = redis.call('GET', key)
    local known, noted = stored and cjson.decode(stored) or {}, cjson.decode(wish)
    if stored and (known.confirmed_at or not noted.terminate) then noted = known end
    noted.withdrawn_at, noted.confirmed_at = known.withdrawn_at, known.confirmed_at
    if word ~= '' then noted.withdrawn_at = noted.withdrawn_at or moment end
    if word == 'confirmed' then noted.confirmed_at = noted.confirmed_at or moment end
    local value = cjson.encode(noted)
    if value == stored then return end
    redis.call('SET', key, value, 'PX', left_ms)
    if noted.confirmed_at then
        redis.call('ZREM', index, id)
    else
        local time = redis.call('TIME')
        redis.call('ZADD', index, 'NX', time[1] * 1000 + math.floor(time[2] / 1000), id)
        redis.call('ZREMRANGEBYRANK', index, 0, -MOST_REVOKED - 1)
        redis.call('PEXPIRE', index, left_ms, 'NX')
        redis.call('PEXPIRE', index, left_ms, 'GT')
    end
    tell(prefix, id, 'revoke', value)
end
