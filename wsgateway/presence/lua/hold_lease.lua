-- Take or renew the lease on a gateway id.
--
-- KEYS[1]  gateway-lease:{id}
-- ARGV[1]  token of this process   ARGV[2]  holder, text for people   ARGV[3]  ttl, ms
-- returns  { 'taken' }                          it was free: now ours
--          { 'renewed' }                        it was ours already
--          { 'held', token, holder, ttl left }  another process holds it
local token = redis.call('HGET', KEYS[1], 'token')
if token and token ~= ARGV[1] then
  return { 'held', token, redis.call('HGET', KEYS[1], 'holder'), redis.call('PTTL', KEYS[1]) }
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'holder', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { token and 'renewed' or 'taken' }
