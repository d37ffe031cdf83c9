-- KEYS[1]: the sessions of a user; KEYS[2]: see known.lua. ARGV: session, time of use (microseconds), lifetime (milliseconds).
-- Answers 1 if the session is known.
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored then
  return 0
end
local colon = string.find(stored, ':', 1, true)
if tonumber(ARGV[2]) > tonumber(string.sub(stored, 1, colon - 1)) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. string.sub(stored, colon))
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
known(tonumber(ARGV[3]))
return 1
