-- Look which messages of our own somebody has in hand, as far as Kombu keeps account of it: their delivery tags are the ids.
--
-- ARGV: Kombu's hash of those in hand; then the ids. Answers with those that are in it.

local held = {}
for at = 2, #ARGV do
    if redis.call('HEXISTS', ARGV[1], ARGV[at]) == 1 then held[#held + 1] = ARGV[at] end
end
return held
