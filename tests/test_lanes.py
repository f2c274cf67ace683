"""Lanes, step by step, with a router and a presence that answer when the test says so."""

import asyncio
import json

import msgspec
import pytest
from sim import spin
from test_fates import Letter

from wsgateway import lanes as lanes_module
from wsgateway.envelope import Carried, Fence
from wsgateway.errors import Overloaded, RedisUnavailable
from wsgateway.lane import Parcel
from wsgateway.lanes import Lanes
from wsgateway.presence.base import Owner
from wsgateway.protocol import Hop, Status
from wsgateway.routers.base import Done

FRAME = msgspec.Raw(b'{"type":"message"}')


class Scene:
    """Lanes of gateway `here`; everything they ask waits in `asked` and `published`."""

    def __init__(self, *, cache_s: float = 3600, fence_s: float = 3600) -> None:
        self.asked: list[asyncio.Future[Owner | None]] = []
        self.published: list[tuple[str, dict[str, object], Done]] = []
        self.local: list[str | None] = []
        self.is_local = True
        self.full = False
        self.fates: dict[str | None, list[Status]] = {}
        self.lanes = Lanes(
            "here",
            self,  # type: ignore[arg-type]  # only `route_to_gateway` is used
            self.lookup,
            self.deliver_local,
            lambda stage: Hop("here", stage, 0),
            cache_s=cache_s,
        )
        self.patience_s = fence_s

    def lookup(self, user: str) -> "asyncio.Future[Owner | None]":
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]

    def route_to_gateway(self, gateway_id: str, envelope: bytes, key: str, done: Done) -> None:
        assert key == "bob" or key in envelope.decode()
        if self.full:
            raise Overloaded("full")
        self.published.append((gateway_id, json.loads(envelope), done))

    def deliver_local(self, parcel: Parcel) -> bool:
        if self.is_local:
            assert isinstance(parcel.carried, Carried)
            self.local.append(parcel.carried.id)
            parcel.done(Status.DELIVERED)
        return self.is_local

    def parcel(self, frame_id: str, user: str = "bob") -> Parcel:
        fates = self.fates.setdefault(frame_id, [])
        return Parcel(Carried(user, "alice", "here", FRAME, id=frame_id), fates.append)

    def send(self, *ids: str, user: str = "bob") -> None:
        for frame_id in ids:
            self.lanes.send(self.parcel(frame_id, user))

    async def found(self, gateway_id: str | None) -> None:
        owner = Owner(gateway_id, "c", 1) if gateway_id else None
        self.asked[-1].set_result(owner)
        await spin()

    async def answer(self, index: int, status: Status = Status.ROUTED) -> None:
        self.published[index][2](status)
        await spin()

    def went(self) -> list[tuple[str, object]]:
        """Everything published so far: where to, and the message id or the envelope's kind."""
        return [(to, e.get("id", e["kind"])) for to, e, _ in self.published]


async def test_one_question_serves_all_that_wait_and_order_holds() -> None:
    scene = Scene()
    scene.send("1", "2", "3")
    assert len(scene.asked) == 1
    assert scene.went() == []
    await scene.found("g2")
    assert scene.went() == [("g2", "1"), ("g2", "2"), ("g2", "3")]
    for index in range(3):
        await scene.answer(index)
    assert scene.fates == {"1": ["routed"], "2": ["routed"], "3": ["routed"]}
    assert scene.lanes.waiting == 0


async def test_a_known_route_is_not_asked_again_until_it_is_old() -> None:
    scene = Scene(cache_s=3600)
    scene.send("1")
    await scene.found("g2")
    scene.send("2")
    assert len(scene.asked) == 1
    assert scene.went() == [("g2", "1"), ("g2", "2")]
    scene.lanes.moved("bob")
    scene.send("3")
    assert len(scene.asked) == 2


async def test_an_old_route_expires_by_itself() -> None:
    scene = Scene(cache_s=1e-9)
    scene.send("1")
    await scene.found("g2")
    assert len(scene.asked) == 2, "older than a nanosecond: asked again before it is used"


async def test_users_do_not_wait_for_each_other() -> None:
    scene = Scene()
    scene.send("1", user="bob")
    scene.send("2", user="carol")
    await scene.found("g2")
    assert scene.went() == [("g2", "2")]


async def test_nowhere_is_offline_for_all_that_wait() -> None:
    scene = Scene()
    scene.send("1", "2")
    await scene.found(None)
    assert scene.fates == {"1": ["offline"], "2": ["offline"]}
    assert len(scene.lanes) == 0


async def test_presence_that_cannot_be_asked_is_unknown() -> None:
    scene = Scene()
    scene.send("1", "2")
    scene.asked[0].set_exception(RedisUnavailable("down"))
    await spin()
    assert scene.fates == {"1": ["unknown"], "2": ["unknown"]}
    scene.send("3")
    await scene.found("g2")
    assert scene.went() == [("g2", "3")]


async def test_a_dead_gateway_is_asked_after_once_and_all_follow_in_order() -> None:
    scene = Scene()
    scene.send("1", "2")
    await scene.found("dead")
    await scene.answer(0, Status.OFFLINE)
    scene.send("3")
    assert len(scene.asked) == 1, "2 is still in flight and must not be overtaken"
    await scene.answer(1, Status.OFFLINE)
    assert len(scene.asked) == 2
    await scene.found("g3")
    await scene.answer(2, Status.OFFLINE)  # the fence to the dead gateway
    assert scene.went()[3:] == [("g3", "1"), ("g3", "2"), ("g3", "3")]
    assert scene.fates == {"1": [], "2": [], "3": []}


async def test_a_dead_gateway_that_presence_still_names_is_offline() -> None:
    scene = Scene()
    scene.send("1")
    await scene.found("dead")
    await scene.answer(0, Status.OFFLINE)
    await scene.found("dead")
    await scene.answer(1, Status.OFFLINE)
    assert scene.fates == {"1": ["offline"]}


async def test_what_was_overtaken_is_not_sent_again() -> None:
    """The gateway came back between two publishes: sending 1 again would put it behind 2."""
    scene = Scene()
    scene.send("1", "2")
    await scene.found("g2")
    await scene.answer(0, Status.OFFLINE)
    await scene.answer(1, Status.ROUTED)
    assert scene.fates == {"1": ["offline"], "2": ["routed"]}


async def test_a_publish_that_fails_while_presence_is_asked_loses_nothing() -> None:
    scene = Scene()
    scene.send("1")
    await scene.found("g2")
    scene.lanes.moved("bob")
    scene.send("2")
    await scene.answer(0, Status.OFFLINE)  # 1 comes back while the question for 2 is open
    await scene.found("g2")
    await scene.answer(1, Status.ROUTED)  # the fence
    scene.lanes.fenced(scene.published[1][1]["token"])  # type: ignore[arg-type]
    assert scene.went()[-2:] == [("g2", "1"), ("g2", "2")]


@pytest.mark.parametrize("how", ["answered", "nobody there", "router full", "timeout"])
async def test_after_a_move_a_fence_holds_what_is_new(how: str) -> None:
    scene = Scene(fence_s=0.05 if how == "timeout" else 3600)
    scene.send("1")
    await scene.found("old")
    scene.lanes.moved("bob")
    scene.send("2", "3")
    if how == "router full":
        scene.full = True
        await scene.found("new")
        assert scene.fates["2"] == ["unknown"], "nothing can leave, and it says so"
        return
    await scene.found("new")
    assert scene.went() == [("old", "1"), ("old", "fence")]
    if how == "answered":
        await scene.answer(1)
        assert len(scene.published) == 2, "published is not answered"
        scene.lanes.fenced(scene.published[1][1]["token"])  # type: ignore[arg-type]
    elif how == "nobody there":
        await scene.answer(1, Status.OFFLINE)
    else:
        async with asyncio.timeout(10):
            while len(scene.published) == 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert scene.went()[2:] == [("new", "2"), ("new", "3")]


async def test_a_late_or_foreign_answer_opens_no_fence() -> None:
    scene = Scene()
    scene.send("1")
    await scene.found("old")
    scene.lanes.moved("bob")
    scene.send("2")
    await scene.found("new")
    scene.lanes.fenced(999)
    assert len(scene.published) == 2


async def test_a_user_who_turns_out_to_be_here_gets_it_here() -> None:
    scene = Scene()
    scene.send("1", "2")
    await scene.found("here")
    assert scene.local == ["1", "2"]
    assert scene.fates == {"1": ["delivered"], "2": ["delivered"]}
    assert len(scene.lanes) == 0, "the hub knows: no lane is kept"


async def test_a_user_who_left_from_here_is_looked_for_once_more() -> None:
    scene = Scene()
    scene.is_local = False
    scene.send("1")
    await scene.found("here")
    assert len(scene.asked) == 2
    await scene.found("here")
    assert scene.fates == {"1": ["offline"]}
    assert len(scene.lanes) == 0


async def test_what_came_back_leaves_before_what_is_new() -> None:
    scene = Scene()
    scene.send("new")
    scene.lanes.come_back(scene.parcel("back 1"))
    scene.lanes.come_back(scene.parcel("back 2"))
    scene.lanes.hand_back(scene.parcel("unwritten 2"))
    scene.lanes.hand_back(scene.parcel("unwritten 1"))
    await scene.found("g2")
    assert [which for _, which in scene.went()] == [
        *("unwritten 1", "unwritten 2", "back 1", "back 2", "new")
    ]


async def test_a_message_makes_two_hops_at_most() -> None:
    scene = Scene()
    for hops in range(4):
        parcel = scene.parcel(f"{hops} hops")
        parcel.carried.path = [f"g{n}" for n in range(hops)]
        parcel.arrived = True
        scene.lanes.send(parcel)
    await scene.found("g9")
    assert scene.went() == [("g9", "0 hops"), ("g9", "1 hops")]
    assert scene.fates["2 hops"] == scene.fates["3 hops"] == ["offline"]


async def test_what_a_log_keeps_may_go_on_when_it_is_offered_again() -> None:
    scene = Scene()
    for again in (False, True):
        parcel = scene.parcel(f"again: {again}")
        parcel.carried.path = ["g1", "g2"] * 4
        parcel.arrived = True
        parcel.kept = letter = Letter()
        letter.is_repeated = again
        scene.lanes.send(parcel)
    await scene.found("g9")
    assert scene.went() == [("g9", "again: True")]
    assert scene.fates["again: False"] == ["unknown"], "not offline: it stays in the log"


async def fenced_off(scene: Scene) -> int:
    """Bob moves from old to new; return the token of the fence that went to old."""
    scene.send("1")
    await scene.found("old")
    scene.lanes.moved("bob")
    scene.send("2")
    await scene.found("new")
    assert scene.went()[-1] == ("old", "fence")
    return int(str(scene.published[-1][1]["token"]))


async def test_what_waits_for_a_fence_can_be_called_back() -> None:
    scene = Scene()
    token = await fenced_off(scene)
    letters = [Letter(), Letter()]
    for n, letter in enumerate(letters):
        parcel = scene.parcel(f"kept {n}")
        parcel.kept = letter
        scene.lanes.send(parcel)
        assert letter.recall is not None, "its log must read on: the fence may be there"
    letters[0].is_wanted = letters[1].is_wanted = False
    for letter in letters:
        assert letter.recall is not None
        letter.recall()
    assert scene.fates["kept 0"] == scene.fates["kept 1"] == ["unknown"]
    assert scene.lanes.waiting == 1
    scene.lanes.fenced(token)
    letters[0].recall()  # too late: it has left
    assert scene.went()[2:] == [("new", "2")]
    assert scene.fates["kept 0"] == ["unknown"]


async def test_what_follows_a_message_that_went_back_goes_back_too() -> None:
    scene = Scene()
    late, wanted = scene.parcel("late"), scene.parcel("wanted")
    late.kept, wanted.kept = Letter(), Letter()
    scene.lanes.send(late)
    scene.lanes.send(wanted)
    late.kept.is_wanted = False
    await scene.found("g2")
    assert scene.went() == [("g2", "wanted")]
    scene.lanes.moved("bob")
    scene.send("opens a fence")
    await scene.found("g3")
    later = scene.parcel("later")
    later.kept = Letter()
    later.kept.is_wanted = False
    scene.lanes.send(later)
    assert scene.fates["late"] == scene.fates["later"] == ["unknown"]


async def test_of_two_fences_that_cross_one_gives_way() -> None:
    scene = Scene()
    token = await fenced_off(scene)
    for other in (token + 1, token - 1):
        fence = Fence("bob", "old", "here", other)
        scene.lanes.send(Parcel(fence, scene.fates.setdefault(f"{other - token}", []).append))
    stranger = Fence("bob", "other", "here", token - 1)
    scene.lanes.send(Parcel(stranger, scene.fates.setdefault("stranger", []).append))
    assert scene.fates["-1"] == ["delivered"], "answered at once"
    assert scene.fates["1"] == scene.fates["stranger"] == []
    assert scene.lanes.waiting == 3


async def test_what_came_back_does_not_return_the_way_it_came() -> None:
    """Others may still be on that way: a fence fetches them first."""
    scene = Scene()
    scene.send("1", "2")
    await scene.found("g2")
    scene.lanes.come_back(scene.parcel("1"))
    await scene.found("g2")
    assert scene.went()[2:] == [("g2", "fence")]
    scene.lanes.come_back(scene.parcel("2"))
    scene.lanes.fenced(int(str(scene.published[2][1]["token"])))
    assert scene.went()[3:] == [("g2", "1"), ("g2", "2")]


async def test_too_many_waiting_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "MAX_WAITING", 2)
    scene = Scene()
    scene.send("1", "2")
    with pytest.raises(Overloaded):
        scene.send("3")
    await scene.found("g2")
    scene.send("3")
    assert len(scene.published) == 3


async def test_the_longest_idle_lane_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "MAX_LANES", 2)
    scene = Scene()
    for user in ("bob", "carol"):
        scene.send(user, user=user)
        await scene.found("g2")
    await scene.answer(1)  # carol's lane is idle, bob's is not
    scene.send("dave", user="dave")
    assert len(scene.lanes) == 2
    scene.send("bob again", user="bob")
    assert scene.went()[-1] == ("g2", "bob again"), "a busy lane is never dropped"


async def test_closing_settles_everything_as_unknown(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.send("in flight", "returned", "in flight too")
    await scene.found("g2")
    await scene.answer(1, Status.OFFLINE)
    scene.send("waits")
    scene.send("asked", user="carol")
    scene.lanes.aclose()
    assert scene.fates["returned"] == scene.fates["waits"] == scene.fates["asked"] == ["unknown"]
    scene.asked[-1].set_exception(RedisUnavailable("stopping"))
    await scene.answer(0, Status.ROUTED)
    scene.published[2][2](Status.UNKNOWN)
    await spin()
    assert scene.fates["in flight"] == ["routed"]
    assert scene.fates["in flight too"] == ["unknown"]
    assert all(len(fates) == 1 for fates in scene.fates.values())
    assert scene.lanes.waiting == 0
    scene.asked.clear()
    scene.published.clear()
    assert "never retrieved" not in caplog.text
