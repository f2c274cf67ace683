-- Keep a user's presence alive, or bring it back where there is none; compared by connection.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  gateway id   ARGV[2]  connection id   ARGV[3]  epoch (not used)   ARGV[4]  ttl, ms
-- returns  'refreshed', 'restored' (it was absent), or 'superseded': another connection owns it
local owner = redis.call('HGET', KEYS[1], 'connId')
if owner == ARGV[2] then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 'refreshed'
end
if owner then return 'superseded' end
redis.call('HSET', KEYS[1], 'gatewayId', ARGV[1], 'connId', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'restored'
