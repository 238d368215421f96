-- It stays, with a number that no lease has: it is what tells apart whoever comes back late.
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'fence', '0', 'until', '0')
return 1
