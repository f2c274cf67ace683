-- Make a connection the owner of a user; the last one to register wins.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  gateway id   ARGV[2]  connection id   ARGV[3]  ttl, ms
-- returns  { '0', displaced gateway, displaced connection, '' }, '' when nobody was displaced
local old = redis.call('HMGET', KEYS[1], 'gatewayId', 'connId')
redis.call('HSET', KEYS[1], 'gatewayId', ARGV[1], 'connId', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { '0', old[1] or '', old[2] or '', '' }
