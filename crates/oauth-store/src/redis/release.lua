-- It stays, and tells apart whoever comes back late: with a number that no lease has, unless a lease
-- before it was abandoned and the next one has to know.
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', '0')
if ARGV[2] == '0' then redis.call('HSET', KEYS[1], 'fence', '0') end
return 1
