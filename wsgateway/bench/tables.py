"""`python -m wsgateway.bench.tables [FILE...]`: put measured numbers into `docs/performance.md`.

Each FILE is the `--json` of a run. What the page needs of it is kept in `docs/data/`, one file per
command, and every table between `<!-- name:begin -->` and `<!-- name:end -->` is written anew.
Several files of one command are rounds of it. Run it at the root of the project.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsgateway.bench.rows import TABLES, Json

DATA = Path("docs/data")
PAGE = Path("docs/performance.md")
_KEPT = (
    *("name", "target", "per_s", "sent", "lost", "doubled", "reordered", "unanswered"),
    *("broker", "cpu_s_per_1000", "broker_cpu_s_per_1000", "rss_kib"),
)


def kept(document: Mapping[str, Any]) -> Json:
    """Return what the page needs of a run's JSON file."""
    return {
        "command": document["command"],
        "router": document["arguments"].get("router", "redis"),
        "machine": document["machine"],
        "numbers": document["numbers"],
        "faults": document["faults"],
        "outcomes": [
            {key: one[key] for key in _KEPT if key in one}
            | {"rate_per_s": one["shape"]["rate_per_s"]}
            | {key: one["latency_ms"][key] for key in ("p50", "p99")}
            for one in document["outcomes"]
        ],
    }


def place(run: Mapping[str, Any]) -> str:
    """Return the name of the file in `docs/data/` that a run belongs into."""
    name = str(run["command"])
    if name == "latency":
        return name  # one table for all brokers
    if name == "throughput" and "cpu_s_per_1000" in run["numbers"]:
        name = "costs"
    return name if run["router"] == "redis" else f"{name}-{run['router']}"


def machine(rounds: Sequence[Json]) -> str:
    """Return on what it was measured."""
    facts, outcomes, numbers = (rounds[-1][key] for key in ("machine", "outcomes", "numbers"))
    named = outcomes[0] if outcomes else numbers.get("waterfall", numbers)
    broker = f", {named['broker']}" if "broker" in named else ""
    cores = f"{facts['usable_cores']} cores / {facts['usable_cores']} 核"
    return f"*{cores}, {facts['cpu']}, Python {facts['python']}{broker}*"


def rendered(name: str, rounds: Sequence[Json]) -> str:
    """Return a table as Markdown; its last row says on what it was measured."""
    head, *rows = TABLES[name](rounds)
    last = [machine(rounds), *[""] * (len(head) - 1)]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows, last)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def put_in(page: str, name: str, text: str) -> str:
    """Return `page` with `text` between the markers of `name`."""
    pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{text}\n{found[2]}", page, flags=re.DOTALL)


def main() -> int:
    """Take in the files, then write the page."""
    taken: dict[str, list[Json]] = {}
    for file in sys.argv[1:]:
        run = kept(json.loads(Path(file).read_text("utf-8")))
        taken.setdefault(place(run), []).append(run)
    DATA.mkdir(exist_ok=True)
    for name, rounds in taken.items():
        text = json.dumps(rounds, indent=1, ensure_ascii=False)
        (DATA / f"{name}.json").write_text(f"{text}\n", "utf-8")
    page = PAGE.read_text("utf-8")
    for name in TABLES:
        if (DATA / f"{name}.json").exists():
            rounds = json.loads((DATA / f"{name}.json").read_text("utf-8"))
            page = put_in(page, name, rendered(name, rounds))
    PAGE.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
