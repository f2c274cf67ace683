"""The crash experiment for a cell: one call, on the lesson's own brokers."""

import secrets

from wsgateway.lab import servers
from wsgateway.lab.language import say
from wsgateway.lab.ledger import Totals
from wsgateway.lab.loop import shared_loop
from wsgateway.lab.stream import Plan, Stage

# Why: on a busy machine a gateway may be killed with nothing under way to it, and Pub/Sub then
# loses nothing. So it hangs first, as a process short of memory does before it is killed, until
# more was answered than can have been under way when it began to hang.
# 原因：机器繁忙时，网关被杀的那一刻可能恰好没有消息在途，发布/订阅也就一条不丢。
# 所以先让它卡住（内存不足的进程被杀之前常常如此），
# 直到此后应答的消息数超过卡住时可能在途的总数。
_HANG = Plan.pairs * Plan.window + 60


def under_load(router: str, *, messages: int = 6_000, kills: int = 3, seed: int = 1) -> Totals:
    """Kill the receiving gateway process again and again while messages stream to it.

    It hangs for a moment (SIGSTOP) each time before it is killed (SIGKILL).

    Args:
        router: "redis" or "kafka".
        messages: in all, from 20 senders to 20 recipients.
        kills: how often the process is killed and started again.
        seed: of the moments of the kills; printed, to replay a run.

    Returns:
        The ledger's totals.
    """
    plan = Plan(router=router, messages=messages, kills=kills, hang=_HANG, seed=seed)
    totals = shared_loop().run(_run(plan), timeout_s=90.0)
    say(
        f"{router}: {messages:,} messages, {kills} kills, seed {seed}.",
        f"{router}：{messages:,} 条消息，杀 {kills} 次，种子 {seed}。",
    )
    return totals


async def _run(plan: Plan) -> Totals:
    redis = await servers.redis()
    kafka = await servers.kafka() if plan.router == "kafka" else None
    address = kafka.address if kafka is not None else None
    prefix = f"kill-{secrets.token_hex(3)}:"
    try:
        flags = ("--key-prefix", prefix)
        async with Stage(plan, redis.address, address, flags=flags) as stage:
            await stage.run()
    finally:
        if kafka is not None:
            await kafka.forget(prefix)
    return stage.ledger.totals()
