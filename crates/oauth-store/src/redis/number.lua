-- A number that was never given before, not even by a server that lost the last one: the clock's
-- microseconds, or one more than the last. Exact in a double until the year 2255.
local function number(key)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local last = tonumber(redis.call('GET', key) or '0')
  local next = string.format('%.0f', math.max(now, last + 1))
  redis.call('SET', key, next)
  return next
end
