-- Take launches out of the outbox that shall not run. Begins as `revocation.lua`.
--
-- ARGV: the ledger's prefix; the wish as JSON; the moment; then the ids.
-- Answers with those of which it is certain that the broker does not have them: nobody ever sent them, or the broker
-- refused. Of the others nobody will send another message, but one may be on its way.

local prefix, answer = ARGV[1], {}
for index = 4, #ARGV do
    local id = ARGV[index]
    local since = redis.call('ZSCORE', prefix .. 'outbox', id)
    if since then
        redis.call('ZREM', prefix .. 'outbox', id)
        redis.call('DEL', prefix .. 'outbox:' .. id)
        if tonumber(since) == 0 then
            note_revocation(prefix, id, ARGV[2], ARGV[3], 'confirmed')
            answer[#answer + 1] = id
        end
    end
end
return answer
