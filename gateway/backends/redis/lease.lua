-- Begin a script that only the holder of a lease may run: take the lease or renew it, or answer with nothing.
--
-- ARGV: the lease's key; the caller's fencing token, 0 for none; the lease in milliseconds; then those of the script itself.
-- A token that is not the lease's is refused: whoever slept past its lease gets a new one like anybody else. The script
-- answers with the token first; one whose work belongs to the old token compares the two.

local token = ARGV[2]
local holder = redis.call('GET', ARGV[1])
if holder and holder ~= token then return {} end
if not holder then token = tostring(redis.call('INCR', ARGV[1] .. ':fence')) end
redis.call('SET', ARGV[1], token, 'PX', ARGV[3])
