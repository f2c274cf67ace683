"""What gateways keep in Redis: presence, leases, claims and channels. Reads, and nothing else."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from wsgateway.errors import RedisUnavailable
from wsgateway.inspect.facts import LeaseFact, State, UserFact
from wsgateway.presence.base import claim_key, lease_key, presence_key
from wsgateway.presence.redis import FIELDS, owner_of
from wsgateway.protocol import is_id
from wsgateway.routers.redis import BROADCAST, channel_of

_PER_SCAN = 1000
# Why: SCAN passes every key of the database, ours or not. Each step is short for the server, but
# somebody's cache of 100 million keys would keep us, and it, busy for minutes.
# 原因：SCAN 会经过库里的每一个键，不管是不是我们的。每一步对服务器都很短，
# 但若别人在里面放了一亿个缓存键，就会让两边忙上好几分钟。
MOST_SCANS = 500


@dataclass
class Found:
    """Gateway ids seen in the keys.

    Args:
        leases: ids that have a lease.
        users: how many presence records name each id.
        complete: whether all keys were looked at.
    """

    leases: set[str] = field(default_factory=set)
    users: Counter[str] = field(default_factory=Counter)
    complete: bool = False


class RedisView:
    """Reads what gateways wrote.

    Args:
        url: Redis URL.
        key_prefix: of every key and channel.
        timeout_s: bound on a reply, seconds.
    """

    def __init__(self, url: str, *, key_prefix: str, timeout_s: float) -> None:
        self._prefix = key_prefix
        self._redis = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._redis.aclose()

    async def user(self, user: str) -> UserFact:
        """Return where a user is.

        Raises:
            RedisUnavailable: no answer, or a refusal.
        """
        key = presence_key(self._prefix, user)
        # At one instant, or a record that lapses in between would look unreadable.
        asked = (("EXISTS", key), ("PTTL", key), ("HMGET", key, *FIELDS))
        exists, left_ms, record = await self._run(*asked, at_once=True)
        if exists == 0:
            return UserFact(user=user, state=State.NOWHERE)
        left_s = left_ms / 1000 if left_ms >= 0 else None
        owner = None if isinstance(record, RedisError) else owner_of(record)
        if owner is None:
            return UserFact(user=user, state=State.UNREADABLE, left_s=left_s)
        lease = (await self.leases([owner.gateway_id]))[owner.gateway_id]
        return UserFact(
            user=user,
            state=State.CONNECTED if lease.alive else State.STALE,
            gateway=owner.gateway_id,
            connection=owner.conn_id,
            epoch_us=owner.epoch if abs(owner.epoch) < 1 << 63 else None,  # JSON's limit here
            left_s=left_s,
        )

    async def leases(self, gateway_ids: Iterable[str]) -> dict[str, LeaseFact]:
        """Return who holds each id, and who has adopted its topic.

        Raises:
            RedisUnavailable: no answer, or a refusal.
        """
        ids = list(gateway_ids)
        asked: list[tuple[str, ...]] = []
        for one in ids:
            key = lease_key(self._prefix, one)
            claim = claim_key(self._prefix, f"topic:{one}")
            asked += [("HGET", key, "holder"), ("PTTL", key), ("HGET", claim, "holder")]
        answers = await self._ask(*asked)
        facts = {}
        for at, one in enumerate(ids):
            holder, left_ms, adopter = answers[3 * at : 3 * at + 3]
            claimed_by = _text(adopter)
            facts[one] = LeaseFact(
                holder=_text(holder),
                left_s=left_ms / 1000 if left_ms >= 0 else None,
                # a gateway that starts holds the claim on its own topic for a moment
                adopted_by=claimed_by if claimed_by != one else None,
            )
        return facts

    async def adopter(self) -> str | None:
        """Return the gateway that looks for topics without a reader.

        Raises:
            RedisUnavailable: no answer, or a refusal.
        """
        (holder,) = await self._ask(("HGET", claim_key(self._prefix, "adopter"), "holder"))
        return _text(holder)

    async def find(self) -> Found:
        """Return which gateways have a lease, and how many presence records name each.

        Raises:
            RedisUnavailable: no answer, or a refusal.
        """
        found = Found()
        lease, presence = lease_key(self._prefix, ""), presence_key(self._prefix, "")
        match = _glob(self._prefix)
        cursor: int | bytes = 0
        seen: set[str] = set()
        for _ in range(MOST_SCANS):
            scan = ("SCAN", cursor, "MATCH", match, "COUNT", _PER_SCAN, "TYPE", "hash")
            ((cursor, raw),) = await self._ask(scan)
            keys = {key.decode(errors="replace") for key in raw} - seen  # SCAN may repeat itself
            seen |= keys
            found.leases |= {key.removeprefix(lease) for key in keys if key.startswith(lease)}
            records = [key for key in keys if key.startswith(presence)]
            owners = await self._ask(*(("HGET", key, FIELDS[0]) for key in records))
            named = (one.decode(errors="replace") for one in owners if one is not None)
            found.users.update(filter(is_id, named))
            if int(cursor) == 0:
                found.complete = True
                break
        found.leases = set(filter(is_id, found.leases))
        return found

    async def subscribers(self) -> dict[str | None, int]:
        """Return how many listen to each gateway's channel, and under None to the broadcast.

        Raises:
            RedisUnavailable: no answer, or a refusal.
        """
        start = channel_of(self._prefix, "")
        (named,) = await self._ask(("PUBSUB CHANNELS", _glob(start)))
        ids = {name.decode(errors="replace").removeprefix(start) for name in named}
        order = sorted(filter(is_id, ids))
        channels = [self._prefix + BROADCAST, *(channel_of(self._prefix, one) for one in order)]
        (counted,) = await self._ask(("PUBSUB NUMSUB", *channels))
        return dict(zip([None, *order], (number for _, number in counted), strict=True))

    async def _ask(self, *commands: Sequence[str | int | bytes]) -> list[Any]:
        answers = await self._run(*commands)
        for answer in answers:
            if isinstance(answer, RedisError):
                raise RedisUnavailable(f"Redis refuses: {answer}")
        return answers

    async def _run(
        self, *commands: Sequence[str | int | bytes], at_once: bool = False
    ) -> list[Any]:
        """Run commands in one round trip; one that is refused returns its error."""
        pipeline = self._redis.pipeline(transaction=at_once)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            return list(await pipeline.execute(raise_on_error=False))
        except (RedisError, OSError) as error:
            raise RedisUnavailable(f"Redis did not answer: {error}") from error


def _glob(start: str) -> str:
    """Return the pattern of all names that begin with `start`, taken literally."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", start) + "*"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
