-- Keep a user's presence alive, or bring it back, unless a newer session owns it.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  gateway id   ARGV[2]  connection id   ARGV[3]  epoch   ARGV[4]  ttl, ms
-- returns  'refreshed'   same connection: its ttl is extended
--          'restored'    absent (expired, or Redis came back empty) or older: written again
--          'superseded'  a newer epoch owns the user: this connection must go
--
-- Why: compared by connection first, by epoch second. A refresh that trusted time alone could
--      overwrite the session that replaced it.
-- 原因：先比连接，再比纪元（epoch）。若只看时间，刷新可能覆盖掉取代自己的新会话。
local old = redis.call('HMGET', KEYS[1], 'connId', 'timestamp')
if old[1] == ARGV[2] then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 'refreshed'
end
if (tonumber(old[2]) or 0) > tonumber(ARGV[3]) then return 'superseded' end
redis.call('HSET', KEYS[1], 'gatewayId', ARGV[1], 'connId', ARGV[2], 'timestamp', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'restored'
