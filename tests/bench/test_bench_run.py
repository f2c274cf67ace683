"""Runs against real gateways, and against servers that do wrong on purpose. Counts, never times."""

import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from wsgateway.bench.cluster import Cluster
from wsgateway.bench.crew import Crew
from wsgateway.bench.dialect import HEARTBEAT, JsonDialect
from wsgateway.bench.idle import Idle
from wsgateway.bench.plan import idle_jobs
from wsgateway.bench.relay import relay_target
from wsgateway.bench.run import BenchError, Shape, measure, run, wsgateway_target
from wsgateway.bench.target import Node, Target
from wsgateway.errors import WsGatewayError

TINY = Shape(pairs=4, in_flight=8, warmup_s=0.2, duration_s=0.6, load_processes=2, quiet_s=1.0)
FAULTY = replace(TINY, nodes=1, pairs=2, load_processes=1)


def faulty(fault: str) -> Target:
    """Return a server with a fault as a target."""
    program = str(Path(__file__).with_name("faulty_server.py"))

    def command(node: Node) -> list[str]:
        return [sys.executable, program, str(node.port), fault]

    return Target(name=fault, command=command, dialect=JsonDialect())


@pytest.mark.parametrize("router", ["redis", "kafka"])
async def test_a_gateway_keeps_its_promises(router: str) -> None:
    outcome = await run(wsgateway_target(router=router), TINY, router=router)
    assert outcome.faults == {}
    assert outcome.refused == {}
    assert outcome.closed == {}
    assert outcome.sent >= outcome.delivered > TINY.pairs * TINY.in_flight
    assert 0 < len(outcome.latencies_ms) <= outcome.delivered
    assert outcome.latencies_ms == sorted(outcome.latencies_ms)
    assert len(outcome.rss_kib) == 2
    assert min(outcome.rss_kib) > 10_000
    assert outcome.node_cpu_s > 0
    assert outcome.load_cpu_s >= 0  # the kernel counts in ticks, and this load is light
    assert ("Tansu" in outcome.broker) == (router == "kafka")


async def test_an_open_loop_sends_what_is_due_no_more_no_less() -> None:
    shape = replace(TINY, rate_per_s=300.0, idle_users=3)
    outcome = await run(wsgateway_target(), shape)
    again = await run(relay_target(), replace(shape, across=False))
    assert outcome.faults == again.faults == {}
    assert outcome.held == again.held == 0
    assert outcome.sent == again.sent  # the seed says when to send what
    assert 100 < outcome.sent < 400


async def test_a_cluster_is_measured_again_with_other_users() -> None:
    async with Cluster(wsgateway_target(), nodes=2) as cluster:
        first = await measure(cluster, TINY, heartbeat=HEARTBEAT)
        second = await measure(cluster, replace(TINY, across=False))
        pids = cluster.node_pids + cluster.broker_pids
    assert first.faults == second.faults == {}
    assert first.closed == second.closed == {}
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(
    ("fault", "noticed"),
    [("drop", "lost"), ("double", "doubled"), ("swap", "reordered"), ("silent", "unanswered")],
)
async def test_a_faulty_server_is_found_out(fault: str, noticed: str) -> None:
    outcome = await run(faulty(fault), FAULTY)
    assert outcome.delivered > 0
    assert outcome.faults.pop(noticed) > 0
    # The last one may be held back for ever, waiting for one to swap with.
    assert set(outcome.faults) <= {noticed, *(["lost"] if fault == "swap" else [])}


async def test_nothing_is_found_in_a_server_without_fault() -> None:
    assert (await run(faulty("none"), FAULTY)).faults == {}


async def test_what_is_refused_is_no_fault() -> None:
    outcome = await run(faulty("refuse"), FAULTY)
    assert outcome.faults == {}
    assert outcome.refused["overloaded"] > 0
    assert sum(outcome.refused.values()) < outcome.sent


async def test_bad_news_after_an_ack_is_no_second_answer() -> None:
    outcome = await run(faulty("regret"), FAULTY)
    assert outcome.faults == {}  # were it one, `unanswered` could hide another's silence
    assert outcome.sent / 10 <= outcome.refused["offline"] <= outcome.sent / 10 + FAULTY.pairs


async def test_a_closed_loop_survives_the_loss_of_all() -> None:
    outcome = await run(faulty("deaf"), replace(FAULTY, duration_s=2.5))
    assert outcome.delivered == 0
    assert outcome.lost == outcome.sent > FAULTY.pairs * FAULTY.in_flight
    assert (outcome.p(50), outcome.latencies_ms) == (0.0, [])


async def test_connections_that_end_are_told() -> None:
    outcome = await run(faulty("close"), FAULTY)
    assert outcome.closed == {"4004": FAULTY.pairs}
    assert outcome.lost > 0


async def test_a_node_that_dies_ends_the_run_with_its_last_words() -> None:
    with pytest.raises(BenchError, match="out of order on purpose"):
        await run(faulty("die"), replace(FAULTY, duration_s=60.0))


async def test_a_node_that_does_not_start_says_why() -> None:
    target = wsgateway_target(flags=["--ping-s", "nonsense"])
    with pytest.raises(WsGatewayError, match="ping_s 'nonsense'"):
        await run(target, TINY)


async def test_a_server_that_refuses_users_says_so() -> None:
    async with Cluster(wsgateway_target(), nodes=1) as cluster:
        jobs = idle_jobs(1, cluster.urls, JsonDialect(), tag="no good")
        async with Crew(jobs) as crew:
            with pytest.raises(BenchError, match="no goodi0 is refused: bad_user_id"):
                await crew.ready()


async def test_idle_users_are_counted_watched_and_let_go() -> None:
    async with Cluster(wsgateway_target(), nodes=1) as cluster:
        idle = Idle(cluster, settle_s=0.1)
        silent, beating = await idle.fill(100, watch_s=0.5, heartbeat=HEARTBEAT)
        per_s, before_kib, after_kib = await idle.churn(50)
    assert idle.users == [0, 20, 40, 60, 80, 100]
    assert len(idle.rss_kib) == 6
    assert idle.closed == {}
    assert min(silent, beating) >= 0
    assert min(per_s, before_kib, after_kib) > 0
