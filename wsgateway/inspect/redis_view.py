"""What gateways keep in Redis: presence, leases, claims and channels. Reads, and nothing else."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from wsgateway.errors import RedisUnavailable
from wsgateway.inspect.facts import LeaseFact, State, UserFact
from wsgateway.presence.base import claim_key, lease_key, presence_key
from wsgateway.presence.redis import FIELDS, owner_of
from wsgateway.protocol import is_id
from wsgateway.redis.connect import connect
from wsgateway.redis.link import Link, refusal
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
        self._nodes = connect(url, timeout_s)

    async def __aenter__(self) -> Self:
        await self._nodes.ready()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._nodes.aclose()

    async def user(self, user: str) -> UserFact:
        """Return where a user is.

        Raises:
            RedisUnavailable: no answer, or a refusal.
        """
        key = presence_key(self._prefix, user)
        # At one instant, or a record that lapses in between would look unreadable.
        asked = [("EXISTS", key), ("PTTL", key), ("HMGET", key, *FIELDS)]
        *_, at_once = await self._nodes.link_of(key).ask([("MULTI",), *asked, ("EXEC",)])
        exists, left_ms, record = _accepted(at_once)
        if exists == 0:
            return UserFact(user=user, state=State.NOWHERE)
        left_s = left_ms / 1000 if left_ms >= 0 else None
        owner = owner_of(record) if isinstance(record, list) else None
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
        found = Found(complete=True)
        seen: set[str] = set()
        for link in self._nodes.links():
            found.complete = await self._scan(link, found, seen) and found.complete
        found.leases = set(filter(is_id, found.leases))
        return found

    async def subscribers(self) -> dict[str | None, int]:
        """Return how many listen to each gateway's channel, and under None to the broadcast.

        Raises:
            RedisUnavailable: no answer, or a refusal.
        """
        start = channel_of(self._prefix, "")
        sharded = "SHARD" if self._nodes.sharded else ""
        ids: set[str] = set()
        for link in self._nodes.links():
            (named,) = map(
                _accepted, await link.ask([("PUBSUB", f"{sharded}CHANNELS", _glob(start))])
            )
            ids |= {name.decode(errors="replace").removeprefix(start) for name in named}
        order = sorted(filter(is_id, ids))
        channels = [self._prefix + BROADCAST, *(channel_of(self._prefix, one) for one in order)]
        counted = await self._ask(*(("PUBSUB", f"{sharded}NUMSUB", one) for one in channels))
        return dict(zip([None, *order], (number for _, number in counted), strict=True))

    async def _scan(self, link: Link, found: Found, seen: set[str]) -> bool:
        """Add to `found` what one server holds; return whether all its keys were looked at."""
        lease, presence = lease_key(self._prefix, ""), presence_key(self._prefix, "")
        cursor: int | bytes = 0
        for _ in range(MOST_SCANS):
            match = ("MATCH", _glob(self._prefix), "COUNT", _PER_SCAN, "TYPE", "hash")
            (reply,) = await link.ask([("SCAN", cursor, *match)])
            cursor, raw = _accepted(reply)
            keys = {key.decode(errors="replace") for key in raw} - seen  # SCAN may repeat itself
            seen |= keys
            found.leases |= {key.removeprefix(lease) for key in keys if key.startswith(lease)}
            records = [key for key in keys if key.startswith(presence)]
            owners = await self._ask(*(("HGET", key, FIELDS[0]) for key in records))
            named = (one.decode(errors="replace") for one in owners if one is not None)
            found.users.update(filter(is_id, named))
            if int(cursor) == 0:
                return True
        return False

    async def _ask(self, *commands: tuple[str, ...]) -> list[Any]:
        """Run commands, one round trip per server; a refusal is raised."""
        pipelines: dict[Link, list[int]] = {}
        for at, command in enumerate(commands):
            key = command[2] if command[0] == "PUBSUB" else command[1]
            pipelines.setdefault(self._nodes.link_of(key), []).append(at)
        answers: list[Any] = [None] * len(commands)
        for link, places in pipelines.items():
            replies = await link.ask([commands[at] for at in places])
            for at, reply in zip(places, replies, strict=True):
                answers[at] = _accepted(reply)
        return answers


def _accepted(reply: Any) -> Any:
    why = refusal(reply)
    if why is not None:
        raise RedisUnavailable(f"Redis refuses: {why}")
    return reply


def _glob(start: str) -> str:
    """Return the pattern of all names that begin with `start`, taken literally."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", start) + "*"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
