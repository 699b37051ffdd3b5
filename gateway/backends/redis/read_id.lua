-- Begin a script that reads messages: the id in the headers of one, or nothing. Only its shape is known: whoever believes it
-- decodes the message first.
local function read_id(element)
    local at = string.find(element, '"headers":', 1, true)
    at = at and string.find(element, '"id":', at, true)
    return at and string.match(element, '^ *"([^"]+)"', at + 5)
end
