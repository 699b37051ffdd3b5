-- Write records at the end of the audit, which is cut at its limit.
-- ARGV: the stream; how many entries it keeps; for how many seconds; the entries, each of some records, a line each.
-- KEYS: none, as with all scripts of the ledger.

for index = 4, #ARGV do redis.call('XADD', ARGV[1], 'MAXLEN', '~', ARGV[2], '*', 'r', ARGV[index]) end
redis.call('EXPIRE', ARGV[1], ARGV[3])
return #ARGV - 3
