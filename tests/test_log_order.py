"""At least once, and in order: real delivery, lanes and mailboxes on a simulated log."""

import asyncio
import random
from collections.abc import Iterable

import pytest
from log_sim import LogCluster, LogGateway, promised
from sim import SimSender, spin
from test_order import Action, act, arrived

GATEWAYS = ("g1", "g2", "g3")


def act_on_log(
    cluster: LogCluster, senders: dict[str, SimSender], action: str, argument: object
) -> None:
    gateway = cluster.gateways.get(str(argument))
    if action == "restart":
        cluster.restart(str(argument))
    elif action == "adopt":
        cluster.adopt(str(argument))
    elif action in ("cut", "cut late") and isinstance(gateway, LogGateway):
        gateway.cut("bob", was_written=action == "cut late")
    elif action == "send" and senders[str(argument)].gateway.id not in cluster.gateways:
        pass
    elif action == "send" and senders[str(argument)].gateway is not gateway:
        pass  # it crashed, and its senders with it
    else:
        act(cluster, senders, action, argument)


async def play(actions: list[Action]) -> None:
    """Run `actions`, bring bob home, let everything come to rest, then check the promises."""
    cluster = LogCluster(3)
    senders = {"g1": SimSender(cluster["g1"], "alice"), "g2": SimSender(cluster["g2"], "carol")}
    cluster["g1"].register("bob")
    await cluster.settle()
    for action, argument in actions:
        act_on_log(cluster, senders, action, argument)
        await spin()
    cluster.adopt("g1")
    cluster["g1"].register("bob")
    await cluster.settle(lossy=True)
    for sender in senders.values():
        kept = promised(sender.socket)
        first = list(dict.fromkeys(arrived(cluster, sender.user)))
        assert set(kept) <= set(first), f"lost: {set(kept) - set(first)} of {kept}"
        in_order = [number for number in first if number in set(kept)]
        if cluster.ordered:
            assert in_order == sorted(in_order), f"overtaken: {in_order}"
    assert cluster.commits == {one: len(topic) for one, topic in cluster.topics.items()}
    assert not [reader.dead for reader in cluster.readers() if reader.dead]
    for gateway in cluster.gateways.values():
        assert gateway.delivery.lanes.waiting == 0


# How often each happens; bursts of messages, so that several of a user are under way at once.
WEIGHTS = {
    "burst": 4,
    "steps": 30,
    "move": 4,
    "vanish": 3,
    "cut": 2,
    "cut late": 1,
    "crash": 2,
    "restart": 3,
    "adopt": 2,
    "expire": 2,
}
SENDING = ("g1", "g2")
MORTAL = ("g2", "g3")
WHERE = {"crash": MORTAL, "restart": MORTAL}


def story(seed: int, length: int = 60) -> list[Action]:
    """Return a run of events; the same for the same seed."""
    rng = random.Random(seed)
    actions: list[Action] = []
    for kind in rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length):
        if kind == "burst":
            actions += [("send", rng.choice(SENDING))] * rng.randint(1, 6)
        elif kind == "steps":
            actions += [("step", rng.randrange(100)) for _ in range(rng.randint(1, 6))]
        else:
            actions.append((kind, rng.choice(WHERE.get(kind, GATEWAYS))))
    return actions


def play_all(stories: Iterable[tuple[int, list[Action]]]) -> None:
    for seed, actions in stories:
        try:
            asyncio.run(play(actions))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from None


hundreds = pytest.mark.parametrize("first", range(0, 400, 100))


@hundreds
def test_no_crash_and_no_move_loses_what_was_promised(first: int) -> None:
    """And order holds, unless the gateway died that knew which way it was passing messages on."""
    play_all((seed, story(seed)) for seed in range(first, first + 100))


@hundreds
def test_while_all_gateways_live_nothing_is_overtaken(first: int) -> None:
    for seed in range(first, first + 100):
        calm = [one for one in story(seed) if one[0] not in ("crash", "restart", "adopt")]
        play_all([(seed, calm)])
