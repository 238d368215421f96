-- The same form again and again; its arguments are the Authorization header and the body. Prints a
-- line of JSON at the end.

function init(arguments)
   wrk.method = "POST"
   wrk.headers["Authorization"] = arguments[1]
   wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
   wrk.body = arguments[2]
end

function done(summary, latency)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   io.write(string.format(
      '{"requests":%d,"microseconds":%d,"failed":%d,"p99":%d}\n',
      summary.requests, summary.duration, failed, latency:percentile(99)
   ))
end
