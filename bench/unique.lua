-- wrk: POST one message again and again, each with a name of its own (16 characters) where the template says so.
-- Arguments: the file of the template, its placeholder, a prefix of at most 8 characters, the access token.
local parts, prefix, count = {}, "", 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local template = file:read("*a")
  file:close()
  local from = 1
  while true do
    local first, last = template:find(args[2], from, true)
    if not first then break end
    parts[#parts + 1] = template:sub(from, first - 1)
    from = last + 1
  end
  parts[#parts + 1] = template:sub(from)
  prefix = args[3]
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[4]
end

function request()
  count = count + 1
  local name = prefix .. string.format("%0" .. (16 - #prefix) .. "d", count)
  return wrk.format(nil, nil, nil, table.concat(parts, name))
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "errors": %d, "p50_ms": %f, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
