-- Note revokes. Begins as `revocation.lua`.
--
-- ARGV: the ledger's prefix; the wish as JSON; the moment; then an id and a word for each task.

for index = 4, #ARGV, 2 do note_revocation(ARGV[1], ARGV[index], ARGV[2], ARGV[3], ARGV[index + 1]) end
