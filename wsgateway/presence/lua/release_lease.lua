-- Give a gateway id back, if it is still ours.
--
-- KEYS[1]  gateway-lease:{id}
-- ARGV[1]  token of this process
-- returns  1 released, 0 not ours
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
