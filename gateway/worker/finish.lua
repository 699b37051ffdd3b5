-- Write down what became of a run, and free its claim. Begins as `tell.lua`, `settle.lua`, `claims.lua` and
-- `settle_uncounted.lua`.
--
-- ARGV: the ledger's prefix; the task's id; the token of the run, or '' for a worker that speaks of a run which cannot do so
-- itself; the worker; how often Celery has retried the task; a word: SUCCESS, FAILURE or REVOKED with the end as JSON behind
-- it, RETRY, `left` (it goes on elsewhere), `died`.
-- Answers 1, or 0 and writes nothing when the task is in other hands.

local prefix, id, token, worker, retries, word, value = unpack(ARGV)
local claim = read_claim(prefix, id)
if token ~= '' then
    if claim and claim.token ~= token and not is_free(claim) then return 0 end
elseif claim and claim.left_ms > 0 and claim.worker ~= worker then
    return 0
end
-- Whoever wrote the end has freed the claim: this worker already, or a gateway that read the result first.
if redis.call('EXISTS', prefix .. 'end:' .. id) == 1 then return 1 end
local holders = {RETRY = FREE, left = LEFT, died = token}
if holders[word] then
    local left_ms = redis.call('PTTL', prefix .. 'task:' .. id)
    if left_ms <= 0 then return 1 end
    write_claim(prefix, id, holders[word], -now_ms, word == 'RETRY' and retries + 1 or retries, worker, left_ms)
    return 1
end
settle_uncounted(prefix, id, value, word)
return 1
