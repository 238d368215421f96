local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
if held > now then return {0, 0} end
local before = redis.call('HGET', KEYS[1], 'fence')
local fence = number(KEYS[2])
redis.call('HSET', KEYS[1], 'fence', fence, 'until', string.format('%.0f', now + ARGV[1]))
-- It stays for a day after its end: it is what tells apart whoever comes back late.
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[1] / 1000 + 86400000))
return {fence, (before and before ~= '0') and 1 or 0}
