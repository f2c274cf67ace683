"""Lateness beside each way to wait, and who blocks."""

import asyncio
import subprocess
import sys
from random import Random
from typing import Any

import pytest

from wsgateway.lab.loops import checks, late_plots, ways
from wsgateway.lab.loops.lineup import NAMES, Evidence, invent, observe
from wsgateway.lab.loops.watch import Waits, waits


@pytest.fixture(scope="module")
def measured() -> Waits:
    return waits()


def test_only_time_sleep_makes_others_late(measured: Waits) -> None:
    assert measured.blocking.worst_s > 0.75 * ways.WAIT_S
    assert measured.blocking.meanwhile == 0
    for punctual in (measured.awaited, measured.threaded, measured.nested):
        assert punctual.meanwhile >= 10
        assert punctual.until_s - punctual.since_s >= ways.WAIT_S


def test_a_short_wait_inside_lasts_as_long_as_the_one_above_it(measured: Waits) -> None:
    assert measured.asked_s == {"short": ways.SHORT_S, "long": ways.LONG_S}
    assert measured.took_s["short"] >= measured.took_s["long"] >= ways.LONG_S
    assert list(measured.took_s) == ["long", "short"], "as a stack returns"


def test_the_patch_never_comes_here(measured: Waits) -> None:
    assert measured.task == ("_asyncio", "asyncio.tasks")
    assert asyncio.Task.__module__ == "_asyncio"
    assert not hasattr(asyncio, "_nest_patched")


def test_what_a_process_without_nest_asyncio_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    broken = tmp_path / "ways.py"
    broken.write_text("raise SystemExit('no module named nest_asyncio')")
    monkeypatch.setattr(ways, "__file__", str(broken))
    with pytest.raises(RuntimeError, match="no module named nest_asyncio"):
        waits()


def test_the_script_loads_nothing_of_ours() -> None:
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1]);"
        "print([name for name in sys.modules if name.startswith('wsgateway')])"
    )
    command = [sys.executable, "-P", "-c", code, str(ways.__file__)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_pictures_of_lateness(measured: Waits) -> None:
    assert "打点" in late_plots.lateness(measured).alt
    assert "嵌套" in late_plots.nesting(measured).alt


def just_before(seen: Evidence, name: str) -> int:
    """How many late ticks `name` woke just before."""
    return sum(any(due - 10 <= at <= due for at in seen.woke[name]) for due, _ in seen.late)


@pytest.mark.parametrize("seed", range(30))
def test_invented_evidence_convicts_the_blocker_and_nobody_else(seed: int) -> None:
    seen = invent(Random(seed))
    assert len(seen.late) > 5
    ranked = sorted(NAMES, key=lambda name: just_before(seen, name))
    assert ranked[-1] == seen.blocker
    assert just_before(seen, ranked[-1]) > just_before(seen, ranked[-2])
    assert all(due <= came for due, came in seen.ticks)


def test_live_evidence_convicts_the_blocker(capsys: pytest.CaptureFixture[str]) -> None:
    seen = observe(seed=4, lasts_s=1.0)
    assert len(seen.late) > 3
    assert max(NAMES, key=lambda name: just_before(seen, name)) == seen.blocker
    assert "seed 4" in capsys.readouterr().out
    assert "协程" in late_plots.evidence(seen).alt


def test_a_suspect_who_was_only_sometimes_there_gets_a_hint_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def once(ticks: Any, woke: Any) -> str:
        late = [due for due, came in ticks if came - due > 20]
        due = late[len(late) // 2]
        near = [one for one in woke if any(due - 10 <= at <= due for at in woke[one])]
        guilty: str = max(woke, key=lambda one: just_before(Evidence("", ticks, woke), one))
        return next((one for one in near if one != guilty), guilty)

    assert not checks.blocker(once)
    assert "not before every late tick" in capsys.readouterr().out
