-- Remove a user's presence, but only the record this connection wrote.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  connection id
-- returns  1 removed, 0 somebody else's record (or none): left alone
--
-- Why: a late cleanup is newer than the registration that replaced it (T=102 > T=101), so
--      "newer wins" deletes a live session. Identity decides, not time.
-- 原因：迟到的清理比取代它的注册更新（T=102 > T=101），"新者胜"会删掉在线会话；
--      所以由身份决定，而不是由时间决定。
if redis.call('HGET', KEYS[1], 'connId') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
