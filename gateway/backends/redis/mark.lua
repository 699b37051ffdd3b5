-- Write records of tasks for Celery's own clients and workers, where what is written already allows it.
--
-- ARGV: for how many seconds, 0 for good; '1' to tell whoever waits for the task, as Celery does; the states that may be
-- written over, as JSON, or null for all that are not final; then a key and a record for each task.

local FINAL = {SUCCESS = true, FAILURE = true, REVOKED = true}
local over, list = nil, cjson.decode(ARGV[3])
if list ~= cjson.null then
    over = {}
    for _, status in ipairs(list) do over[status] = true end
end

-- What is to be written, or nothing; of a task that waits for its retry, why it does stays.
local function choose(key, new)
    local stored = redis.call('GET', key)
    if not stored then return new end
    local is_sound, record = pcall(cjson.decode, stored)
    if not is_sound or type(record) ~= 'table' or FINAL[record.status] then return nil end
    if not over then return new end
    if not over[record.status] then return nil end
    if record.status ~= 'RETRY' then return new end
    return (string.gsub(stored, '"RETRY"', '"' .. cjson.decode(new).status .. '"', 1))
end

for index = 4, #ARGV, 2 do
    local key, record = ARGV[index], choose(ARGV[index], ARGV[index + 1])
    if record then
        redis.call('SET', key, record)
        if ARGV[1] ~= '0' then redis.call('EXPIRE', key, ARGV[1]) end
        if ARGV[2] == '1' then redis.call('PUBLISH', key, record) end
    end
end
