-- Settle one task. Begins as `settle.lua`.
--
-- ARGV: the ledger's prefix; the task's id; its end as JSON; its status.

return settle(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) and 1 or 0
