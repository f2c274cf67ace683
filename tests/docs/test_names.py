"""Every function, attribute and argument that documents and lessons name exists."""

import json
import re
from pathlib import Path

import pytest
from names import Names
from pages import NOTEBOOKS, PAGES, name_of, read

LESSON = """
from wsgateway import lab
cluster = lab.Cluster("g1", processes=True)
alice = cluster.user("alice", on="g1")
message = alice.receive()
"""


@pytest.mark.parametrize(
    "span",
    [
        "lab.topic.wait_committed(parts, 'p2')",
        'cluster.user("carol", on="g1")',
        'cluster.processes["p2"].pause()',
        "message.trace",
        "crowd.anything()",
        "wsgateway.kafka.offsets",
        'guess="a"',
        "HGETALL presence:bob",
    ],
)
def test_what_exists_is_let_pass(span: str) -> None:
    names = Names()
    names.learn(LESSON)
    assert list(names.faults(span)) == []


@pytest.mark.parametrize(
    ("span", "fault"),
    [
        ("lab.topik.lag", "no topik"),
        ("lab.topic.lagg(parts)", "no lagg"),
        ('cluster.user("carol", at="g1")', "'on'"),
        ('cluster.processes["p2"].stun()', "no stun"),
        ("message.trail", "no trail"),
        ("Progress.comitted", "no comitted"),
        ("wsgateway.kafka.ofsets", "no ofsets"),
        ("recieve_all(envelope)", "nothing here is called"),
    ],
)
def test_what_does_not_exist_is_found(span: str, fault: str) -> None:
    names = Names()
    names.learn(LESSON)
    (found,) = set(names.faults(span))
    assert fault in found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages(page: Path) -> None:
    names = Names()
    spans = dict.fromkeys(read(page).spans)
    assert [fault for span in spans for fault in names.faults(span)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_lessons(path: Path) -> None:
    names = Names()
    cells = json.loads(path.read_text("utf-8"))["cells"]
    sources = {kind: [] for kind in ("code", "markdown")}
    for cell in cells:
        sources[cell["cell_type"]].append("".join(cell["source"]))
    spans = dict.fromkeys(re.findall(r"`([^`]+)`", "\n".join(sources["markdown"])))
    imports = [span for span in spans if re.match(r"(?:from \S+ )?import ", span)]
    for source in (*sources["code"], *imports):
        names.learn(source)
    assert [fault for span in spans for fault in names.faults(span)] == []
