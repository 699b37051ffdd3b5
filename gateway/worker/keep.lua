-- Renew claims, and say that a worker with the kit is alive. Begins as `claims.lua`.
--
-- ARGV: the ledger's prefix; the worker, or '' for a process that only runs tasks; how long its word holds, which is the
-- lease too, in milliseconds; then for each run the task's id, its token, its worker and how often Celery has retried it.
-- Answers for each run 1, 0 when somebody else has taken it over, or 2 when it shall not go on: it is revoked.

local prefix, worker, lease_ms, answer = ARGV[1], ARGV[2], tonumber(ARGV[3]), {}
if worker ~= '' then
    redis.call('ZREMRANGEBYSCORE', prefix .. 'kits', '-inf', now_ms)
    redis.call('ZADD', prefix .. 'kits', now_ms + lease_ms, worker)
    redis.call('PEXPIRE', prefix .. 'kits', lease_ms)
end

-- A run that began while Redis was away has no claim yet.
local function renew(id, token, holder, retries)
    local claim, left_ms = read_claim(prefix, id), redis.call('PTTL', prefix .. 'task:' .. id)
    if left_ms <= 0 or redis.call('EXISTS', prefix .. 'end:' .. id) == 1 then return 1 end
    local is_other = claim and claim.token ~= token
    if is_other and (claim.token ~= FREE or claim.retries > tonumber(retries)) then return 0 end
    write_claim(prefix, id, token, lease_ms, retries, holder, left_ms)
    return redis.call('EXISTS', prefix .. 'revoke:' .. id) == 1 and 2 or 1
end

for at = 4, #ARGV, 4 do answer[#answer + 1] = renew(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]) end
return answer
