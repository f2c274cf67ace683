"""The afternoon for real: gateway processes, brokers, clients, and signals that hurt them."""

import asyncio
import os

from wsgateway.brokers import ApacheKafka, TansuServer
from wsgateway.lab import logbook
from wsgateway.lab.afternoon.diary import Diary
from wsgateway.lab.afternoon.script import AFTERNOON, MODES, Mode, Script
from wsgateway.lab.afternoon.stage import Stage
from wsgateway.lab.language import say
from wsgateway.lab.loop import shared_loop

_TIMEOUT_S = 120.0


def run(script: Script = AFTERNOON, *, seed: int = 6) -> dict[Mode, Diary]:
    """Live through an afternoon, on Redis and on Kafka at the same time.

    Kafka is Tansu; with `WSGATEWAY_LESSON_KAFKA=apache`, Apache Kafka on this machine's Java.

    Args:
        script: what happens.
        seed: of the moments at which messages are sent; printed, to replay a run.

    Returns:
        A diary for each mode.
    """
    logbook.keep()
    apache = os.environ.get("WSGATEWAY_LESSON_KAFKA") == "apache"
    say(f"The afternoon begins, in both modes, seed {seed}.", f"下午开始，两种模式，种子 {seed}。")
    return shared_loop().run(both(script, seed, apache=apache), timeout_s=_TIMEOUT_S)


async def both(script: Script, seed: int, *, apache: bool) -> dict[Mode, Diary]:
    """Live through it in both modes; nothing is left running afterwards.

    Args:
        script: what happens.
        seed: of the moments at which messages are sent.
        apache: on Apache Kafka, not on Tansu.
    """
    # Why: at the same time, not one after the other: whatever else slows this machine slows both.
    # 原因：两种模式同时跑，而不是先后跑：机器上别的事情拖慢一个，也会拖慢另一个。
    ready = asyncio.Barrier(len(MODES))
    stages = {
        mode: Stage(mode, script, seed, kafka=_kafka(apache) if mode == "kafka" else None)
        for mode in MODES
    }
    async with asyncio.TaskGroup() as living:
        tasks = {mode: living.create_task(stages[mode].live(ready)) for mode in MODES}
    return {mode: task.result() for mode, task in tasks.items()}


def _kafka(apache: bool) -> TansuServer | ApacheKafka:
    return ApacheKafka() if apache else TansuServer()
