-- The user has left: remove the record, unless it is newer by the gateways' clocks.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  connection id   ARGV[2]  the gateway's clock
-- returns  1 removed, 0 newer (or none): left alone
local stored = tonumber(redis.call('HGET', KEYS[1], 'timestamp'))
if stored and stored > tonumber(ARGV[2]) then return 0 end
return redis.call('DEL', KEYS[1])
