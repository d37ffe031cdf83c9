-- KEYS[1]: a sliding log. ARGV: the instant (microseconds) after which its events count. Answers how many do.
local events = redis.call('LRANGE', KEYS[1], 0, -1)
local count = 0
for i = 1, #events do
  if tonumber(events[i]) > tonumber(ARGV[1]) then
    count = count + 1
  end
end
return count
