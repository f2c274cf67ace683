-- Write down once more where the user is, unless what is there is newer by the gateways' clocks.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  gateway id   ARGV[2]  connection id   ARGV[3]  epoch   ARGV[4]  ttl, ms
-- ARGV[5]  the gateway's clock
-- returns  'refreshed', or 'rejected': a newer record is there
local stored = tonumber(redis.call('HGET', KEYS[1], 'timestamp'))
if stored and stored > tonumber(ARGV[5]) then return 'rejected' end
redis.call('HSET', KEYS[1], 'gatewayId', ARGV[1], 'connId', ARGV[2], 'timestamp', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'refreshed'
