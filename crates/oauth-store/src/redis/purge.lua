-- The first of an index, with their records. How many the index had, and how many records went:
-- one may have been deleted by hand. A script is the only writer while it runs.
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
local gone = 0
for _, member in ipairs(members) do
  for i = 2, 4 do redis.call('ZREM', KEYS[i], member) end
  gone = gone + redis.call('DEL', ARGV[1] .. member)
end
return {#members, gone}
