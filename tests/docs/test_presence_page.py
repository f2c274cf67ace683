"""What the page on presence says the race explorer finds is what it finds."""

from pages import ROOT, table

from wsgateway.lab import race

PAGE = ROOT / "docs" / "02-presence.md"


def row(name: str) -> list[str]:
    """Explore a design and return its row of the table."""
    found = race.explore(race.DESIGNS[name])
    shortest = found.counterexample
    steps = str(len(shortest.steps)) if shortest else "none / 没有"
    return [f"`{name}`", f"{found.schedules:,}", f"{found.bad['any']:,}", steps]


def test_the_table_is_what_exploring_finds() -> None:
    assert table(PAGE, "race") == [row(name) for name in race.DESIGNS]


def test_connections_are_enough_while_redis_forgets_nothing() -> None:
    forgets = {race.Fault.FAILOVER, race.Fault.EXPIRY}
    assert race.explore(race.DESIGNS["conn_id"], faults=race.FAULTS - forgets).schedules
    assert not race.explore(race.DESIGNS["conn_id"], faults=race.FAULTS - forgets).bad["any"]


def test_the_shipped_design_breaks_when_a_new_master_is_behind() -> None:
    trace = race.explore(race.DESIGNS["conn_id_epoch"], faults=race.Fault).counterexample
    assert trace is not None
    text = " ".join(PAGE.read_text("utf-8").split())
    assert f"finds it in {len(trace.steps)} steps, with `--with server_clock`" in text
