-- Sliding log. KEYS[1] is the list of counted instants, oldest first; KEYS[2]: see known.lua.
-- ARGV: now, limit, window (microseconds). Answers the count, or else the negative wait.
local now, limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local oldest = redis.call('LINDEX', KEYS[1], 0)
while oldest and tonumber(oldest) <= now - window do
  redis.call('LPOP', KEYS[1])
  oldest = redis.call('LINDEX', KEYS[1], 0)
end
local count = redis.call('LLEN', KEYS[1])
if count < limit then
  redis.call('RPUSH', KEYS[1], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
  known(math.ceil(window / 1000))
  return count + 1
end
local blocking = limit > 0 and tonumber(redis.call('LINDEX', KEYS[1], -limit)) or now
return now - window - blocking
