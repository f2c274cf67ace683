"""Order per pair, whatever moves: real delivery and lanes under every event order there is."""

import asyncio
import json
from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sim import SimCluster, SimSender, spin

GATEWAYS = ("g1", "g2", "g3")
Action = tuple[str, str | int]


def arrived(cluster: SimCluster, sender: str) -> list[int]:
    frames = [json.loads(frame) for frame in cluster.wires["bob"]]
    return [int(f["content"].rpartition("-")[2]) for f in frames if f["from"] == sender]


def act(cluster: SimCluster, senders: dict[str, SimSender], action: str, argument: object) -> None:
    gateway = cluster.gateways.get(str(argument))
    if action == "send":
        senders[str(argument)].send("bob")
    elif action == "move" and gateway is not None:
        gateway.register("bob")
    elif action == "vanish" and gateway is not None:
        gateway.vanish("bob")
    elif action == "crash":
        cluster.crash(str(argument))
    elif action == "gap":
        cluster.subscribed ^= {str(argument)} & set(cluster.gateways)
    elif action == "expire":
        for one in cluster.gateways.values():
            one.delivery.lanes.moved("bob")
    elif action == "step":
        steps = list(cluster.steps())
        if steps:
            steps[int(str(argument)) % len(steps)][1]()


async def play(actions: list[Action], *, gaps: bool) -> None:
    """Run `actions` on three gateways with senders on two of them, then check the promises."""
    cluster = SimCluster(3)
    senders = {"g1": SimSender(cluster["g1"], "alice"), "g2": SimSender(cluster["g2"], "carol")}
    cluster["g1"].register("bob")
    await cluster.settle()
    for action, argument in actions:
        act(cluster, senders, action, argument)
        await spin()
    cluster.subscribed = set(cluster.gateways)
    await cluster.settle(lossy=gaps or ("crash", "g3") in actions)
    for sender in senders.values():
        numbers = arrived(cluster, sender.user)
        assert max(Counter(numbers).values(), default=1) == 1, f"twice: {numbers}"
        assert gaps or numbers == sorted(numbers), f"overtaken: {numbers}"
        assert sender.settled == len(sender.sent), "a message never heard its fate"
    for gateway in cluster.gateways.values():
        assert gateway.delivery.lanes.waiting == 0


send = st.tuples(st.just("send"), st.sampled_from(("g1", "g2")))
move = st.tuples(st.just("move"), st.sampled_from(GATEWAYS))
vanish = st.tuples(st.just("vanish"), st.sampled_from(GATEWAYS))
crash = st.tuples(st.just("crash"), st.just("g3"))
gap = st.tuples(st.just("gap"), st.sampled_from(GATEWAYS))
expire = st.tuples(st.just("expire"), st.just(0))
step = st.tuples(st.just("step"), st.integers(0, 11))
usual = (send, send, move, vanish, expire, step, step, step)


@settings(max_examples=300)
@given(st.lists(st.one_of(*usual, crash), max_size=60))
@example([("send", "g2"), ("move", "g2"), ("step", 0), ("expire", 0), ("send", "g2")])
def test_no_order_of_events_reorders_repeats_or_forgets(actions: list[Action]) -> None:
    """The example: what a user's old gateway sends back must not queue behind what is new."""
    asyncio.run(play(actions, gaps=False))


@settings(max_examples=100)
@given(st.lists(st.one_of(*usual, gap), max_size=60))
def test_a_gateway_that_goes_deaf_for_a_while_repeats_and_forgets_nothing(
    actions: list[Action],
) -> None:
    """A gap loses envelopes and may reorder around them; that is why gaps are counted."""
    asyncio.run(play(actions, gaps=True))
