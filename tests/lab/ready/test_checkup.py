"""The doctor: what is there, and what to do if it is not."""

from collections.abc import Iterator

import pytest

from wsgateway.bench import style
from wsgateway.bench.limits import raise_files
from wsgateway.lab import servers
from wsgateway.lab.ready import checkup
from wsgateway.lab.ready.checkup import Finding


@pytest.fixture(autouse=True)
def private_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("WSGATEWAY_REDIS", "WSGATEWAY_KAFKA"):
        monkeypatch.delenv(name, raising=False)
    yield
    servers.stop()


def test_everything_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    findings = checkup.doctor()
    assert findings.ok
    lines = capsys.readouterr().out.splitlines()
    assert [line[:8] for line in lines[:-2]] == ["ok      "] * len(list(findings))
    assert lines[-2:] == ["Everything is there.", "都齐了。"]
    findings.details()
    assert "redis://127.0.0.1:" in capsys.readouterr().out


def test_what_is_missing_comes_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WSGATEWAY_REDIS", "redis://:secret@127.0.0.1:1")
    findings = checkup.doctor()
    told = capsys.readouterr().out
    assert not findings.ok
    assert not findings.servers_ok
    assert "MISSING a Redis server / Redis 服务器" in told
    assert "WSGATEWAY_REDIS names a server that cannot be used" in told
    assert "请改正" in told
    assert told.count("MISSING") == 3  # the line, and the last sentence in two languages
    assert "secret" not in told


def test_an_old_python() -> None:
    assert checkup.python((3, 11, 0)).ok
    assert checkup.python((4, 0, 0)).ok
    old = checkup.python((3, 10, 12))
    assert not old.ok
    assert old.found == "3.10.12"


def test_a_package_that_is_not_installed() -> None:
    found = checkup.packages(("redis", "no_such_package_here"))
    assert not found.ok
    assert found.found == "no_such_package_here"
    assert all("make lab" in words for words in found.do)


def test_more_files_than_allowed() -> None:
    with pytest.raises(Exception, match="ulimit"):
        raise_files(1 << 40)
    found = checkup.files(1 << 40)
    assert not found.ok
    assert "ulimit" in found.found


def test_an_address_that_is_not_ours() -> None:
    found = checkup.ports("192.0.2.1")  # RFC 5737: for examples only
    assert not found.ok
    assert found.found.startswith("192.0.2.1: ")


def test_a_font_is_no_server() -> None:
    found = [
        Finding(("a font", "字体"), False, "none", ("get one", "去拿一个")),
        Finding(("a server", "服务器"), True, "1.0", ("get one", "去拿一个"), server=True),
    ]
    assert checkup.Findings(found).servers_ok
    assert not checkup.Findings(found).ok


def test_no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_CJK", "No Such Font")
    monkeypatch.setattr(style, "find_spec", lambda _: None)
    found = checkup.fonts()
    assert not found.ok
    assert "zhplot" in found.do[0]


def test_a_kafka_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGATEWAY_KAFKA", "127.0.0.1:1")
    found = checkup.kafka()
    assert not found.ok
    assert "WSGATEWAY_KAFKA" in found.do[0]


def test_a_line_for_each_language(capsys: pytest.CaptureFixture[str]) -> None:
    Finding(("a thing", "一样东西"), False, "nowhere", ("get one", "去拿一个")).show()
    assert capsys.readouterr().out.splitlines() == [
        "MISSING a thing / 一样东西",
        "        nowhere",
        "        get one",
        "        去拿一个",
    ]
