"""`python -m wsgateway --id g1`: one gateway as a process, until SIGTERM or Ctrl-C."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import MISSING, Field, fields, replace
from typing import Any, TypeVar

from wsgateway import logs, tasks
from wsgateway.brokers import FoundKafka, FoundRedis, find_kafka, find_redis
from wsgateway.command import Parser
from wsgateway.config import Config, env_name
from wsgateway.errors import ConfigError, WsGatewayError
from wsgateway.gateway import Gateway
from wsgateway.kafka.settings import login_settings

T = TypeVar("T")


def parser() -> Parser:
    """Return the command line: one flag per setting of `Config`."""
    made = Parser(
        prog="python -m wsgateway",
        description="Run one WebSocket gateway. Every flag is also an environment variable.",
    )
    for one in fields(Config):
        name = "id" if one.name == "gateway_id" else one.name.replace("_", "-")
        made.add_argument(
            f"--{name}",
            dest=one.name,
            metavar=one.name.rpartition("_")[2].upper(),
            help=f"{one.metadata['about']} [{_default(one)}{env_name(one.name)}]",
        )
    made.add_argument(
        "--time-scale",
        metavar="FACTOR",
        help="multiply all heartbeat times: 0.01 makes a ping 0.3 s [WSGATEWAY_TIME_SCALE]",
    )
    return made


def _default(setting: Field[Any]) -> str:
    return "" if setting.default in (None, MISSING, "") else f"{setting.default}; "


def banner(gateway: Gateway, redis: FoundRedis, kafka: FoundKafka | None) -> str:
    """Return what a person wants to know of a gateway that has just started."""
    rows = [
        ("id", gateway.config.gateway_id),
        ("router", gateway.config.router),
        ("redis", f"{redis.name} at {redis.safe_url} ({redis.how})"),
    ]
    if kafka is not None:
        rows.append(("kafka", f"{kafka.name} at {kafka.address} ({kafka.how})"))
    rows += [("health", f"{gateway.http_url}/health"), ("ready", gateway.url)]
    return "\n".join(f"{name:<6} {value}" for name, value in rows)


class Stopped(Exception):
    """A signal asked this process to leave."""


async def run(config: Config) -> None:
    """Run a gateway until a signal.

    Raises:
        WsGatewayError: it could not start or cannot go on; the text says why.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with suppress(Stopped):
        async with AsyncExitStack() as found:
            redis = await _unless(stop, find_redis(config.redis))
            found.push_async_callback(redis.aclose)
            config = replace(config, redis=redis.url)
            kafka = None
            if config.router == "kafka":
                kafka = await _unless(stop, find_kafka(config.kafka, login_settings(config)))
                found.push_async_callback(kafka.aclose)
                wait_s = min(config.kafka_fetch_wait_s, kafka.fetch_wait_s)
                config = replace(config, kafka=kafka.address, kafka_fetch_wait_s=wait_s)
            await _serve(stop, config, redis, kafka)


async def _serve(
    stop: asyncio.Event, config: Config, redis: FoundRedis, kafka: FoundKafka | None
) -> None:
    try:
        gateway = Gateway(config)
        await _unless(stop, gateway.start())
    except (OSError, UnicodeError) as error:  # UnicodeError: "a..b" is no host name
        where = f"{config.host}:{config.port}"
        why = error.strerror if isinstance(error, OSError) else error
        raise WsGatewayError(f"cannot listen on {where}: {why}") from None
    try:
        print(banner(gateway, redis, kafka), flush=True)
        await _unless(stop, gateway.failed())
    finally:
        await gateway.aclose()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`, unless `stop` is set first: then `work` is ended.

    Raises:
        Stopped: `stop` was set.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        await tasks.end(working)
        raise Stopped
    finally:
        stopping.cancel()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop when the `fast` extra is installed, else the default."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def collect_garbage_less_often() -> None:
    """Tell Python's cycle collector that this process makes many objects and few cycles."""
    # Why: what a message leaves behind is freed by reference counts. The collector, which wakes
    # every 700 new objects by default, finds nothing in what is under way and took 18 % of a
    # busy gateway's time (perf, 37,000 messages/s). What start-up made stays out of its sight.
    # 原因：消息用过的对象靠引用计数就能释放。回收器默认每新增 700 个对象就醒一次，
    # 在途的对象里什么也找不到，却占去繁忙网关 18% 的时间（perf，每秒 3.7 万条）。
    # 启动时创建的对象则不再让它看见。
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def main() -> int:
    """Run the command; return its exit status: 0 drained, 1 failed, 2 wrong settings."""
    flags = vars(parser().parse_args())
    try:
        config = Config.from_sources(flags, os.environ)
    except ConfigError as error:
        print(f"wsgateway: {error}", file=sys.stderr)
        return 2
    logs.configure(config.log_level, config.log_format)
    collect_garbage_less_often()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run(config))
    except WsGatewayError as error:
        print(f"wsgateway: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
