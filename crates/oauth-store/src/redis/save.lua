local newest = redis.call('HGET', KEYS[2], 'fence')
if ARGV[3] ~= '' and newest and newest ~= ARGV[3] then return -1 end
if (redis.call('HGET', KEYS[1], 'version') or '') ~= ARGV[2] then return 0 end
local version = number(KEYS[3])
redis.call('HSET', KEYS[1], 'version', version, 'body', ARGV[4], 'key_id', ARGV[5],
  'refresh_at', ARGV[6], 'dead_at', ARGV[7])
local function index(key, score)
  if score == '' then redis.call('ZREM', key, ARGV[1])
  else redis.call('ZADD', key, score, ARGV[1]) end
end
index(KEYS[4], ARGV[6])
index(KEYS[5], ARGV[7])
index(KEYS[6], '0')
return version
