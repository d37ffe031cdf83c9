-- KEYS[1]: the sessions of a user, a hash of "<last use in microseconds>:<entry>"; KEYS[2]: see known.lua.
-- ARGV: session, last use, entry, lifetime (milliseconds), most sessions, sessions left after forgetting.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
known(tonumber(ARGV[4]))
if redis.call('HLEN', KEYS[1]) <= tonumber(ARGV[5]) then
  return
end
local stored = redis.call('HGETALL', KEYS[1])
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
for i = tonumber(ARGV[6]) + 1, #sessions do
  redis.call('HDEL', KEYS[1], sessions[i].id)
end
