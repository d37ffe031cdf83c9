-- Notes that KEYS[1] is one of the keys of a project, which KEYS[2] lists by the instant at which they are over: so they are found
-- when the project ends, without looking through those of others.
local function known(life)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  redis.call('ZADD', KEYS[2], now + life, KEYS[1])
  redis.call('PEXPIRE', KEYS[2], 2592000000)
end
