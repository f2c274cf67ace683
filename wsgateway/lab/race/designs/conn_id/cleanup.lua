-- Remove a user's presence, but only the record this connection wrote.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  connection id
-- returns  1 removed, 0 somebody else's record (or none): left alone
if redis.call('HGET', KEYS[1], 'connId') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
