"""`python -m wsgateway.demo`: three gateways, two users, one SIGKILL, told step by step.

Everything is real: a private Redis-compatible server, gateway processes, WebSocket clients.
The exit status is 0 only if every step happened.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

from redis.asyncio import Redis

from wsgateway.brokers import RedisServer
from wsgateway.client import Client, Connected, Event, Message
from wsgateway.command import Parser, reader_left
from wsgateway.errors import WsGatewayError
from wsgateway.process import GatewayProcess
from wsgateway.protocol import Status

STEP_TIMEOUT_S = 30.0


class StepFailed(WsGatewayError):
    """Something that was told did not happen."""


class Story:
    """Prints each step with the seconds since the start, in both languages."""

    def __init__(self) -> None:
        self._start_s = asyncio.get_running_loop().time()

    def tell(self, english: str, chinese: str) -> None:
        """Print one step."""
        elapsed_s = asyncio.get_running_loop().time() - self._start_s
        print(f"{elapsed_s:7.3f} s  {english}\n{'':11}{chinese}", flush=True)


def expect(what: str, got: object, wanted: object) -> None:
    """Raise `StepFailed` unless `got` is `wanted`."""
    if got != wanted:
        raise StepFailed(f"{what}: expected {wanted}, got {got}")


async def owner_of(redis_url: str, user: str) -> str:
    """Return the gateway that presence names for `user`, asked with a plain Redis command."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        return str(await redis.hget(f"presence:{user}", "gatewayId") or "nobody")


async def send_across(story: Story, alice: Client, bob: Client, content: str) -> None:
    """Send one message from alice to bob and watch it arrive."""
    status = await alice.send("bob", content, timeout_s=STEP_TIMEOUT_S)
    expect("status", status, Status.ROUTED)
    story.tell(
        f"alice ({alice.gateway_id}) sends {content!r} to bob: status {status}",
        f"alice（{alice.gateway_id}）发给 bob：{content!r}，状态 {status}",
    )
    message: Message = await anext(bob)
    expect("message", (message.from_user, message.content), ("alice", content))
    story.tell(
        f"bob ({bob.gateway_id}) receives {message.content!r} from {message.from_user}",
        f"bob（{bob.gateway_id}）收到 {message.from_user} 的消息：{message.content!r}",
    )


async def run() -> None:
    """Play the whole story.

    Raises:
        WsGatewayError: a step did not happen.
    """
    story = Story()
    async with AsyncExitStack() as stack:
        server = stack.enter_context(RedisServer())
        story.tell(
            f"a private {server.name} is up: it will hold presence and carry envelopes",
            f"私有的 {server.name} 已启动：在线状态存这里，信封也由它转发",
        )
        gateways = {
            name: GatewayProcess(name, redis=server.url, flags=("--time-scale", "0.02"))
            for name in ("g1", "g2", "g3")
        }
        await asyncio.gather(*(stack.enter_async_context(gateway) for gateway in gateways.values()))
        pids = ", ".join(f"{name} pid {gateway.pid}" for name, gateway in gateways.items())
        story.tell(
            f"three gateways are ready, each a process of its own: {pids}",
            f"三个网关就绪，各是独立进程：{pids}",
        )
        alice = await stack.enter_async_context(Client("alice", gateways["g1"].url))
        moved = asyncio.Event()

        def watch(event: Event) -> None:
            if isinstance(event, Connected) and event.gateway_id == "g3":
                moved.set()

        bob = await stack.enter_async_context(
            Client("bob", [gateways["g2"].url, gateways["g3"].url], on_event=watch)
        )
        expect("bob's presence", await owner_of(server.url, "bob"), "g2")
        story.tell(
            "alice registers at g1, bob at g2; presence says: bob is at g2",
            "alice 注册在 g1，bob 注册在 g2；在线状态记录：bob 在 g2",
        )
        await send_across(story, alice, bob, "hello, bob")
        await crash(story, gateways["g2"])
        await moved.wait()
        expect("bob's presence", await owner_of(server.url, "bob"), "g3")
        story.tell(
            "bob's client saw the socket break, backed off and registered at g3; presence follows",
            "bob 的客户端发现连接断开，退避后在 g3 重新注册；在线状态随之更新",
        )
        await send_across(story, alice, bob, "still there?")
        await alice.aclose()
        await bob.aclose()
        await leave(story, server.url, gateways["g1"], gateways["g3"])


async def crash(story: Story, gateway: GatewayProcess) -> None:
    """Kill a gateway without warning."""
    pid = gateway.pid
    gateway.kill()
    await gateway.wait()
    story.tell(
        f"{gateway.gateway_id} (pid {pid}) is killed with SIGKILL: no goodbye, no cleanup",
        f"用 SIGKILL 杀掉 {gateway.gateway_id}（pid {pid}）：不告别，不清理",
    )


async def leave(story: Story, redis_url: str, *gateways: GatewayProcess) -> None:
    """Drain the gateways that are left, and see that they clean up."""
    for gateway in gateways:
        gateway.terminate()
        expect(f"{gateway.gateway_id}'s exit status", await gateway.wait(), 0)
    for user in ("alice", "bob"):
        expect(f"{user}'s presence", await owner_of(redis_url, user), "nobody")
    story.tell(
        "g1 and g3 get SIGTERM, drain and exit 0; presence is empty again",
        "g1 和 g3 收到 SIGTERM，排空后以 0 退出；在线状态已清空",
    )


async def bounded() -> None:
    """Run the story under one deadline."""
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S * 2):
            await run()
    except TimeoutError:
        raise StepFailed(f"the story did not end within {STEP_TIMEOUT_S * 2:g} s") from None


def main() -> int:
    """Return 0 if all of it really happened, else 1."""
    Parser(prog="python -m wsgateway.demo", description=__doc__).parse_args()
    try:
        asyncio.run(bounded())
    except WsGatewayError as error:
        print(f"wsgateway demo: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return reader_left()
    except KeyboardInterrupt:
        return 130
    print("done: all of it really happened / 完成：以上都真实发生过")
    return 0


if __name__ == "__main__":
    sys.exit(main())
