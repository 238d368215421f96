local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local before, taken, held = unpack(redis.call('HMGET', KEYS[1], 'fence', 'taken', 'until'))
-- One that was taken later than now is over: the clock was set back, and nobody may have to wait
-- until it is there again.
if tonumber(held or '0') > now and tonumber(taken or '0') <= now then return {0, 0} end
local fence = number(KEYS[2])
redis.call('HSET', KEYS[1], 'fence', fence, 'taken', string.format('%.0f', now),
  'until', string.format('%.0f', now + ARGV[1]))
-- It stays for a day after its end: it is what tells apart whoever comes back late.
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[1] / 1000 + 86400000))
return {fence, (before and before ~= '0') and 1 or 0}
