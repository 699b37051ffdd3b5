-- Write down how a task ended, once, free the claim on it, and tell whoever waits for it.
--
-- `value` is its end as JSON. What is kept of a task expires with its row, in which nothing that a caller wrote stands before
-- its type.
-- Answers whether this was the first word of its end.
local function settle(prefix, id, value, status)
    local left_ms = redis.call('PTTL', prefix .. 'task:' .. id)
    redis.call('ZREM', prefix .. 'open', id)
    redis.call('ZREM', prefix .. 'revoked', id)
    if left_ms <= 0 then return false end
    if not redis.call('SET', prefix .. 'end:' .. id, value, 'NX', 'PX', left_ms) then return false end
    redis.call('DEL', prefix .. 'claim:' .. id)
    local head = redis.call('GETRANGE', prefix .. 'task:' .. id, 0, 511)
    local task_type = string.match(head, '"task_type":"([^"]*)"')
    if task_type then redis.call('HINCRBY', prefix .. 'totals', task_type .. '|' .. status, 1) end
    if status ~= 'SUCCESS' then
        local ended = prefix .. 'ended:' .. status
        redis.call('ZADD', ended, 0, id)
        redis.call('PEXPIRE', ended, left_ms, 'NX')
        redis.call('PEXPIRE', ended, left_ms, 'GT')
    end
    tell(prefix, id, 'end', value)
    return true
end
