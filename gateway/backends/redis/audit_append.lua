-- Write records at the end of the audit, which is cut at its limit.
-- ARGV: the stream; its limit; seconds that it is kept; the records.
-- KEYS: none, as with all scripts of the ledger.

for index = 4, #ARGV do redis.call('XADD', ARGV[1], 'MAXLEN', '~', ARGV[2], '*', 'r', ARGV[index]) end
redis.call('EXPIRE', ARGV[1], ARGV[3])
return #ARGV - 3
