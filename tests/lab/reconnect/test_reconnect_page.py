"""The stored page of results has the shape that the command gives it."""

import re
from pathlib import Path

from wsgateway.lab.reconnect import results
from wsgateway.lab.reconnect.account import Account, Look
from wsgateway.lab.reconnect.policies import POLICIES
from wsgateway.lab.reconnect.simulate import OUTAGE
from wsgateway.lab.reconnect.storm import Storm

STORED = Path(__file__).parents[3] / "docs" / "failover-results.md"
COMMAND = "python -m wsgateway.lab.reconnect --markdown docs/failover-results.md"
MACHINE = {
    "usable_cores": 4,
    "cpu": "a processor",
    "python": "3.11.7",
    "libraries": {"wsgateway": "0.1.0", "websockets": "1", "uvloop": None},
}


def account(*groups: str) -> Account:
    storms = {name: Storm(1_000, [0.1, 0.2], [1.0, 3.0, 2.0]) for name in groups}
    looks = [
        Look(at_s, dict.fromkeys(groups, live), dict.fromkeys(groups, 1_000 - live))
        for at_s, live in ((0.0, 1_000), (0.1, 400), (3.0, 1_000))
    ]
    return Account("Valkey 9", 8, 1.5, storms, {name: {"1006": 1_000} for name in groups}, looks)


def page() -> str:
    outages = {name: account(name) for name in POLICIES}
    model = {name: [Storm(1_000, [0.1], [5.0]), Storm(1_000, [0.1], [7.0])] for name in POLICIES}
    return results.page(COMMAND, outages, account("crash", "drain"), model, OUTAGE, MACHINE)


def skeleton(text: str) -> str:
    """Return a page without its numbers, and without what it was measured on."""
    kept = [line for line in text.splitlines() if not line.startswith("| *")]
    return re.sub(r"[\d.,]*\d", "#", "\n".join(kept))


def test_the_numbers_stand_where_they_belong() -> None:
    text = page()
    assert "| full jitter / 全抖动 | 1.50 | 1 | 0.0 | 2.00 | 3.00 | 3.00 |" in text
    assert "| crash (SIGKILL) / 崩溃 | 1006 | 1 | 0.0 | 3.00 | 600 |" in text
    assert "| none / 立即 | 1 (1) | 0.0 (0.0) | 6.0 (7.0) |" in text
    assert "*4 cores / 4 核, a processor, Python 3.11.7, wsgateway 0.1.0" in text
    assert "Valkey 9, seed 8*" in text


def test_the_stored_page_was_written_by_the_command() -> None:
    assert skeleton(STORED.read_text("utf-8")) == skeleton(page())
