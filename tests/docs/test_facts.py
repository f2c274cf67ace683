"""What the documents say of the code is what the code says of itself."""

import importlib
import importlib.util
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from pages import PAGES, ROOT, block, name_of, read, section, table

from wsgateway import lab
from wsgateway.config import Config, env_name
from wsgateway.errors import CloseCode, ErrorCode
from wsgateway.kafka.counts import KafkaCounts
from wsgateway.kafka.intake import MAX_OPEN, MAX_OPEN_BYTES
from wsgateway.kafka.mailbox import Reason
from wsgateway.kafka.mailboxes import MAX_BYTES, MAX_LETTERS
from wsgateway.kafka.publisher import MAX_ENVELOPE_BYTES
from wsgateway.protocol import MAX_DEPTH, MAX_FRAME_BYTES, Status

README = ROOT / "README.md"
PROTOCOL = ROOT / "docs" / "protocol.md"
DESIGN = ROOT / "docs" / "design.md"
QUICKSTART = ROOT / "docs" / "kafka-quickstart.md"
MODES = ROOT / "docs" / "redis-vs-kafka.md"

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def commands(page: Path) -> list[str]:
    """Return the shell commands of a page: in code spans, and in code blocks for a shell."""
    parsed = read(page)
    lines = list(parsed.spans)
    for language, text in parsed.fences:
        if language == "sh":
            lines += text.splitlines()
        elif language == "console":
            lines += [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return [line.partition(" #")[0].strip() for line in lines]


def flat(page: Path) -> str:
    """Return the text of a page without its line breaks."""
    return " ".join(page.read_text("utf-8").split())


def first_spans(rows: list[list[str]]) -> list[str]:
    return [re.findall(r"`([^`]+)`", row[0])[0] for row in rows]


def test_statuses_are_worded_the_same_everywhere() -> None:
    assert block(README, "statuses") == block(PROTOCOL, "statuses")
    assert first_spans(table(PROTOCOL, "statuses")) == [status.value for status in Status]


def test_the_promises_of_both_modes_are_worded_as_in_the_protocol() -> None:
    promises = table(MODES, "promises")
    assert first_spans(promises) == ["routed", "accepted"]
    assert all(row in table(PROTOCOL, "statuses") for row in promises)


def test_limits_of_kafka_mode_are_those_of_the_code() -> None:
    text = flat(DESIGN)
    assert f"{MAX_LETTERS:,} letters or {MAX_BYTES >> 20} MiB wait for this user" in text
    assert f"{MAX_OPEN:,} open letters or {MAX_OPEN_BYTES >> 20} MiB of one topic" in text
    assert f"more than {MAX_ENVELOPE_BYTES >> 10} KiB" in text


def test_reasons_of_dead_letters_are_those_of_the_code() -> None:
    row = next(row for row in section(QUICKSTART, "Dead letters") if "`reason`" in row[0])
    # an undecided letter is kept, and an expired one is only counted
    written = {reason.value for reason in Reason} - {Reason.UNKNOWN, Reason.EXPIRED}
    assert set(re.findall(r"`([^`]+)`", row[1])) == written


def test_numbers_of_the_kafka_router_are_those_of_the_code() -> None:
    rows = [row for row in table(PROTOCOL, "router-numbers") if row[0] != "Redis"]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    for one in fields(KafkaCounts):
        first, *rest = one.name.split("_")
        assert first + "".join(map(str.capitalize, rest)) in named, one.name


def test_error_codes_are_those_of_the_code() -> None:
    assert first_spans(section(PROTOCOL, "Error codes")) == [code.value for code in ErrorCode]


def test_close_codes_are_those_of_the_code() -> None:
    codes = first_spans(section(PROTOCOL, "Close codes"))
    assert codes == [str(code.value) for code in CloseCode]


def test_limits_of_a_frame_are_those_of_the_code() -> None:
    text = flat(PROTOCOL)
    assert f"at most {MAX_FRAME_BYTES} bytes and nests at most {MAX_DEPTH} levels deep" in text
    assert f"over {MAX_FRAME_BYTES} bytes" in text


def test_bad_input_answers_are_codes_that_exist() -> None:
    known = {f"error {code}" for code in ErrorCode} | {f"close {code.value}" for code in CloseCode}
    rows = table(PROTOCOL, "bad-input")
    assert {row[2].strip("`") for row in rows} <= known
    names = first_spans(rows)
    assert len(set(names)) == len(names)


def test_settings_are_those_of_the_code() -> None:
    defaults = Config(gateway_id="g1")
    rows = {row[0].strip("`"): row for row in table(README, "settings")}
    assert len(rows) == len(fields(Config))
    for one in fields(Config):
        flag = "--id" if one.name == "gateway_id" else f"--{one.name.replace('_', '-')}"
        assert rows[flag][1].strip("`") == env_name(one.name)
        default = getattr(defaults, one.name)
        if isinstance(default, int | float):
            assert float(rows[flag][2].strip("`")) == default, flag
        elif one.name != "gateway_id":
            assert rows[flag][2].strip("`") == (default or ""), flag


@every_page
def test_every_python_command_exists_and_understands_its_flags(page: Path) -> None:
    for command in commands(page):
        match = re.fullmatch(r"(?:\S*/)?python3? -m (wsgateway[\w.]*) ?(.*)", command)
        if match is None:
            continue
        name, arguments = match.groups()
        spec = importlib.util.find_spec(name)
        assert spec is not None, command
        is_package = spec.submodule_search_locations is not None
        module = importlib.import_module(f"{name}.__main__" if is_package else name)
        if hasattr(module, "parser") and arguments:
            module.parser().parse_args(shlex.split(arguments))


@every_page
def test_every_make_target_exists(page: Path) -> None:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = [match[1] for c in commands(page) if (match := re.match(r"make ([a-z]+)\b", c))]
    assert set(named) <= known
    assert {"lab", "test"} <= set(named) or page != README


def test_every_make_target_has_its_line_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    for target in phony:
        assert re.search(rf"^{target}:.* ## .+ / .*[\u4e00-\u9fff]", makefile, re.MULTILINE), target


@every_page
def test_every_name_of_the_code_exists(page: Path) -> None:
    environment = {env_name(one.name) for one in fields(Config)}
    environment |= {"WSGATEWAY_TIME_SCALE", "WSGATEWAY_LESSON_KAFKA"}
    settings = {one.name for one in fields(Config)}
    for span in read(page).spans:
        if re.fullmatch(r"(?:wsgateway|tests|notebooks|docs)/[\w./-]*", span):
            assert (ROOT / span).exists(), span
        elif re.fullmatch(r"[\w]+\.(?:py|lua)", span):
            assert list((ROOT / "wsgateway").rglob(span)), span
        elif span.startswith("WSGATEWAY_"):
            assert span in environment, span
        elif re.fullmatch(r"[a-z]+(?:_[a-z]+)*_s", span):
            assert span in settings, span
        elif match := re.match(r"lab\.(\w+)\(", span):
            assert hasattr(lab, match[1]), span


def test_the_component_table_names_every_module() -> None:
    modules = " ".join(row[1] for row in section(DESIGN, "Components"))
    named = re.findall(r"`(wsgateway/[\w/.]+)`", modules)
    folders = tuple(name for name in named if name.endswith("/"))
    for path in (ROOT / "wsgateway").rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        assert name in named or name.startswith(folders) or path.name == "__init__.py", name


def test_the_readme_lists_every_lesson() -> None:
    lessons = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    linked = set(re.findall(r"\]\((notebooks/[^)]+)\)", README.read_text("utf-8")))
    assert linked == lessons
