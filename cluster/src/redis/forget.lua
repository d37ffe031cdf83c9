-- KEYS[1]: the keys of a project by the instant at which they are over. ARGV: how many go at a time.
-- Answers how many went; 0: there is none left.
local keys = redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1)
for i = 1, #keys do
  redis.call('DEL', keys[i])
  redis.call('ZREM', KEYS[1], keys[i])
end
return #keys
