-- Write down where the user is, whatever was there.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  gateway id   ARGV[2]  connection id   ARGV[3]  ttl, ms   ARGV[4]  the gateway's clock
-- returns  'written'
redis.call('HSET', KEYS[1], 'gatewayId', ARGV[1], 'connId', ARGV[2], 'timestamp', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'written'
