"""The checks of lesson 3: right answers pass, wrong ones get the schedule that breaks them."""

import pytest

from wsgateway.lab import TODO
from wsgateway.lab.race import DESIGNS, checks
from wsgateway.lab.race.record import Op


def test_the_shipped_scripts_are_right() -> None:
    scripts = DESIGNS["conn_id_epoch"].scripts
    assert checks.refresh_in_lua(scripts[Op.REFRESH])
    assert checks.cleanup_in_lua(scripts[Op.CLEANUP])


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (DESIGNS["blind"].scripts[Op.REFRESH], "a refresh replaced a newer session"),
        (DESIGNS["conn_id"].scripts[Op.REFRESH], "Redis failover"),
        ("return KEYS", "the wrong session"),
        ("KEYS KEYS", "Redis says"),
        (42, "one string"),
    ],
)
def test_a_wrong_refresh_gets_its_schedule(
    source: object, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not checks.refresh_in_lua(source)
    assert hint in capsys.readouterr().out


def test_unattempted(capsys: pytest.CaptureFixture[str]) -> None:
    assert not checks.refresh_in_lua(TODO)
    assert not checks.cleanup_in_lua(TODO)
    assert not checks.survivors(lambda _: TODO)
    assert capsys.readouterr().out.count("not attempted yet") == 3


def test_which_design_survives(capsys: pytest.CaptureFixture[str]) -> None:
    right = {
        "A": {"conn_id", "conn_id_epoch"},
        "B": {"blind", "timestamp", "conn_id_epoch"},
        "C": {"timestamp", "conn_id", "conn_id_epoch"},
    }
    assert checks.survivors(right.__getitem__)
    assert not checks.survivors(lambda name: set(DESIGNS))
    assert "Story A: blind does not survive it" in capsys.readouterr().out
    assert not checks.survivors(lambda name: {"conn_id_epoch"})
    assert "Story A: conn_id survives it" in capsys.readouterr().out
    assert not checks.survivors(lambda name: "blind")
    assert "return a set" in capsys.readouterr().out
