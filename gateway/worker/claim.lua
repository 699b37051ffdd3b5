-- Ask whether a delivery may run, and take it if so. Begins as `tell.lua`, `settle.lua`, `note_run.lua`,
-- `claims.lua` and `settle_uncounted.lua`.
--
-- ARGV: the ledger's prefix; the task's id; the token of this run; the lease in milliseconds; the worker; the moment; how
-- often Celery has retried the task.
-- Answers with a word: foreign (no launch of a gateway), ended, stale (a later retry has begun), held (and for how many
-- milliseconds at most), revoked, spent (its worker died, and it runs at most once), yours.

local prefix, id, token, lease_ms, worker, moment, retries = unpack(ARGV)
local left_ms = redis.call('PTTL', prefix .. 'task:' .. id)
if left_ms <= 0 then return {'foreign'} end
if redis.call('EXISTS', prefix .. 'end:' .. id) == 1 then return {'ended'} end

local claim = read_claim(prefix, id)
if claim and claim.token ~= token then
    if tonumber(retries) < claim.retries then return {'stale'} end
    if claim.left_ms > 0 then return {'held', claim.left_ms} end
end
if redis.call('EXISTS', prefix .. 'revoke:' .. id) == 1 then
    local value = cjson.encode({status = 'REVOKED', finished_at = moment, worker = worker})
    settle_uncounted(prefix, id, value, 'REVOKED')
    return {'revoked'}
end
if claim and claim.token ~= token and not is_free(claim) and runs_at_most_once(prefix, id) then
    settle_uncounted(prefix, id, write_unknown(claim, moment), 'UNKNOWN')
    return {'spent'}
end
write_claim(prefix, id, token, lease_ms, retries, worker, left_ms)
note_run(prefix, id, 'started_at', moment, worker, left_ms)
return {'yours'}
