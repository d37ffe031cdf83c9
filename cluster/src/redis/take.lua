-- Token bucket. KEYS[1] holds the instant at which the bucket is full again; KEYS[2]: see known.lua.
-- ARGV: now, interval, depth (microseconds). Answers the overdraft; not positive: a token was taken.
local now = tonumber(ARGV[1])
local start = tonumber(redis.call('GET', KEYS[1]) or now)
if start < now then
  start = now
end
local full_at = start + tonumber(ARGV[2])
local overdraft = full_at - now - tonumber(ARGV[3])
if overdraft <= 0 then
  local life = math.ceil((full_at - now) / 1000)
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', life)
  known(life)
end
return overdraft
