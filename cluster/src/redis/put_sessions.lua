-- Adds or replaces entries of any number of users of any number of projects.
-- KEYS: for each entry the sessions of its user, a hash of "<last use in microseconds>:<entry>", and what lists the keys of its
-- project by the instant at which they are over (see known.lua).
-- ARGV: lifetime (milliseconds), most sessions of a user, sessions left after forgetting; then for each entry session, last use, entry.
local life, most, left = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function forget_oldest(key)
  local stored = redis.call('HGETALL', key)
  local sessions = {}
  for i = 1, #stored, 2 do
    sessions[#sessions + 1] = { id = stored[i], used = tonumber(string.match(stored[i + 1], '^-?%d+')) or 0 }
  end
  table.sort(sessions, function(a, b)
    if a.used ~= b.used then
      return a.used > b.used
    end
    return a.id < b.id
  end)
  for i = left + 1, #sessions do
    redis.call('HDEL', key, sessions[i].id)
  end
end

local listed = {}
for i = 1, #KEYS / 2 do
  local key, keys = KEYS[2 * i - 1], KEYS[2 * i]
  local session, used, entry = ARGV[3 * i + 1], ARGV[3 * i + 2], ARGV[3 * i + 3]
  local new = redis.call('HSET', key, session, used .. ':' .. entry)
  redis.call('PEXPIRE', key, life)
  if not listed[keys] then
    listed[keys] = true
    redis.call('ZREMRANGEBYSCORE', keys, '-inf', now)
  end
  redis.call('ZADD', keys, now + life, key)
  if new == 1 and redis.call('HLEN', key) > most then
    forget_oldest(key)
  end
end
for keys in pairs(listed) do
  redis.call('PEXPIRE', keys, 2592000000)
end
