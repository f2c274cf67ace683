"""What the log promises, on real processes killed for real: nothing accepted is lost."""

import asyncio
import json
import urllib.request
from typing import Any

from wsgateway.brokers import ApacheKafka, RedisServer, TansuServer
from wsgateway.lab.ledger import Totals
from wsgateway.lab.stream import Plan, Stage

Kafka = TansuServer | ApacheKafka


async def played(
    plan: Plan, redis: RedisServer, kafka: Kafka | None, prefix: str
) -> tuple[Totals, dict[str, dict[str, Any]]]:
    """Run `plan`; return the ledger's totals, and the last /stats of each living gateway."""
    address = None if kafka is None else kafka.address
    stage = Stage(plan, redis.url, address, kafka, ("--key-prefix", prefix))
    async with stage:
        await stage.run()
        stats = {}
        for gateway_id, gateway in stage.gateways.items():
            if plan.victim != "forever" or gateway_id != "g2":
                stats[gateway_id] = await asyncio.to_thread(_stats, gateway.http_url)
    return stage.ledger.totals(), stats


def _stats(http_url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{http_url}/stats", timeout=10) as answer:
        page: dict[str, Any] = json.load(answer)
    return page


async def test_a_gateway_killed_five_times_loses_nothing_that_was_accepted(
    redis_server: RedisServer, kafka_server: Kafka, key_prefix: str
) -> None:
    totals, stats = await played(Plan(), redis_server, kafka_server, key_prefix)
    assert totals.sent == totals.promised == totals.arrived == 20_000
    assert (totals.lost, totals.duplicates, totals.reordered) == (0, 0, 0)
    assert stats["g2"]["router"]["replayed"] > 0, "it was down while messages came"
    assert stats["g2"]["router"]["deadLetters"] == 0


async def test_pub_sub_loses_what_was_under_way(redis_server: RedisServer, key_prefix: str) -> None:
    plan = Plan(router="redis", messages=12_000, kills=3)
    totals, _ = await played(plan, redis_server, None, key_prefix)
    assert totals.sent == totals.arrived + totals.offline + totals.unknown + totals.lost
    assert totals.lost > 0
    assert (totals.duplicates, totals.reordered) == (0, 0)


async def test_a_gateway_that_never_returns_is_adopted(
    redis_server: RedisServer, kafka_server: Kafka, key_prefix: str
) -> None:
    plan = Plan(victim="forever", kills=1)
    totals, stats = await played(plan, redis_server, kafka_server, key_prefix)
    assert totals.sent == totals.promised == totals.arrived == 20_000
    assert (totals.lost, totals.duplicates, totals.reordered) == (0, 0, 0)
    assert sum(one["router"]["adoptions"] for one in stats.values()) >= 1


async def test_a_broker_killed_for_ten_seconds_loses_nothing_that_was_accepted(
    redis_server: RedisServer, apache_installed: None, key_prefix: str
) -> None:
    with ApacheKafka() as kafka:
        plan = Plan(victim="broker", kills=1, down_s=10.0)
        totals, _ = await played(plan, redis_server, kafka, key_prefix)
    assert totals.sent == 20_000
    # A write without an answer is `unknown`, and its retry may come behind later messages.
    assert (totals.lost, totals.duplicates) == (0, 0)


async def test_many_pairs_at_once_keep_their_order(
    redis_server: RedisServer, tansu_server: TansuServer, key_prefix: str
) -> None:
    totals, _ = await played(Plan(pairs=200), redis_server, tansu_server, key_prefix)
    assert totals.arrived == 20_000
    assert (totals.lost, totals.duplicates, totals.reordered) == (0, 0, 0)
