"""What a command found: outcomes, tables, numbers, and what went wrong. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from wsgateway.bench.shape import Outcome


@dataclass(slots=True)
class Table:
    """A table to print.

    Args:
        title: what it shows.
        columns: headings; the first column is text, the others are numbers.
        rows: cells.
        note: a sentence below it.
    """

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    note: str = ""


@dataclass(slots=True)
class Findings:
    """What a command hands back.

    Args:
        outcomes: (name, outcome) of each run.
        tables: to print.
        numbers: name -> value, for the JSON file; the unit ends the name.
        faults: sentences; with one, the exit status is 1.
        plot: draws the PNG of `--plot`; None if this command draws none.
        seed: of all that was random.
    """

    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    plot: Callable[[], bytes] | None = None
    seed: int = 1

    def add(self, name: str, outcome: Outcome) -> None:
        """Keep an outcome, and what must not have happened in it."""
        self.outcomes.append((name, outcome))
        self.faults += faults(name, outcome)


def faults(name: str, outcome: Outcome) -> Iterator[str]:
    """Yield a sentence for each thing that must not happen, and did."""
    for what, times in outcome.faults.items():
        yield f"{name}: {times:,} of {outcome.sent:,} messages {what}"
    for code, times in outcome.closed.items():
        yield f"{name}: {times:,} connections ended with {code}"


RUN_COLUMNS = (
    "run",
    "msg/s",
    "p50 ms",
    "p99 ms",
    "refused",
    "lost",
    "doubled",
    "reordered",
    "CPU ms/1,000: nodes",
    "brokers",
    "load",
    "MiB/node",
)


def run_row(name: str, outcome: Outcome) -> list[str]:
    """Return an outcome as a row under `RUN_COLUMNS`."""
    return [
        name,
        f"{outcome.per_s:,.0f}",
        f"{outcome.p(50):.2f}",
        f"{outcome.p(99):.2f}",
        f"{sum(outcome.refused.values()):,}",
        f"{outcome.lost:,}",
        f"{outcome.doubled:,}",
        f"{outcome.reordered:,}",
        f"{1000 * outcome.cpu_s_per_1000:.1f}",
        f"{1000 * outcome.broker_cpu_s_per_1000:.1f}",
        f"{1000 * outcome.load_cpu_s_per_1000:.1f}",
        f"{max(outcome.rss_kib, default=0) / 1024:.0f}",
    ]


def run_table(title: str, findings: Findings, note: str = "") -> Table:
    """Return the table of all outcomes so far."""
    rows = [run_row(name, outcome) for name, outcome in findings.outcomes]
    return Table(title, RUN_COLUMNS, list(rows), note)
