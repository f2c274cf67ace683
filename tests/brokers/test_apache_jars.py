"""Fetching Apache Kafka once per user, and the one line that says why it cannot be had."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wsgateway.brokers import ApacheKafka
from wsgateway.brokers.apache_jars import installation, kafka_version
from wsgateway.errors import BrokerError

JAVA = "echo 'openjdk version \"21.0.1\" 2023-10-17' >&2"
# Writes jars where it is told to, after a look at how often it was called.
MAVEN = """
echo call >> "$0.calls"
for word; do case $word in -DoutputDirectory=*) out=${word#*=};; esac; done
mkdir -p "$out" && touch "$out/kafka-clients-4.jar"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all of PATH, with a cache beside it."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("sh", "mkdir", "touch"):
        (place / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return place


def install(place: Path, name: str, script: str) -> Path:
    program = place / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def calls(maven: Path) -> int:
    return len(maven.with_name(f"{maven.name}.calls").read_text().splitlines())


def refusal() -> str:
    with pytest.raises(BrokerError) as caught:
        installation()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_java_it_says_which_is_needed(programs: Path) -> None:
    with pytest.raises(BrokerError, match=r"^Apache Kafka needs Java 17 or newer: no java in PATH"):
        ApacheKafka().start()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'openjdk version \"11.0.2\"' >&2", "java is 11.0.2"),
        ("echo 'java version \"1.8.0_302\"' >&2", "java is 1.8.0_302"),
        ("echo 'No Java runtime present' >&2; exit 1", "does not run: No Java runtime present"),
        ("exit 3", "does not run: exit status 3"),
        ("echo hello", "does not say its version"),
    ],
)
def test_a_java_that_will_not_do_is_said(programs: Path, script: str, why: str) -> None:
    install(programs, "java", script)
    said = refusal()
    assert said.startswith("Apache Kafka needs Java 17 or newer: ")
    assert said.endswith(why)


def test_java_home_comes_before_path(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(programs, "java", JAVA)
    install(programs, "mvn", MAVEN)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert refusal().endswith(f"no java in JAVA_HOME ({tmp_path / 'jdk'})")
    (tmp_path / "jdk" / "bin").mkdir(parents=True)
    java = install(tmp_path / "jdk" / "bin", "java", JAVA)
    assert installation().java == str(java)


def test_without_maven_it_is_said(programs: Path) -> None:
    install(programs, "java", JAVA)
    assert refusal() == "Apache Kafka is fetched by Maven: no mvn in PATH"


def test_it_is_fetched_once_and_then_maven_is_not_needed(programs: Path, tmp_path: Path) -> None:
    install(programs, "java", JAVA)
    maven = install(programs, "mvn", MAVEN)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: installation(), range(4)))
    assert calls(maven) == 1
    assert len(set(found)) == 1
    maven.unlink()
    again = installation()
    assert (again.java_version, again.version) == ("21.0.1", kafka_version())
    assert again.directory.parent == tmp_path / "cache" / "wsgateway"
    assert again.directory.name.startswith(f"kafka-{again.version}-")


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("echo '[ERROR] no such artifact'; echo '[ERROR] help'; exit 1", "no such artifact"),
        ("kill -9 $$", "exit status -9"),
    ],
)
def test_a_download_that_broke_off_is_never_used(programs: Path, end: str, why: str) -> None:
    install(programs, "java", JAVA)
    install(programs, "mvn", f"{MAVEN}\n{end}")
    assert refusal() == f"Maven cannot fetch Apache Kafka: {why}"
    maven = install(programs, "mvn", MAVEN)
    assert list((installation().directory / "jars").iterdir())
    assert calls(maven) == 2


def test_a_maven_that_leaves_nothing_is_said(programs: Path) -> None:
    install(programs, "java", JAVA)
    install(programs, "mvn", "exit 0")
    assert refusal() == "Maven cannot fetch Apache Kafka: it left no jars"


def test_a_cache_that_cannot_be_made_is_said(programs: Path, tmp_path: Path) -> None:
    install(programs, "java", JAVA)
    (tmp_path / "cache").touch()
    assert refusal().startswith(f"cache directory {tmp_path / 'cache'}")


def test_the_first_run_is_not_repeated(apache_installed: None) -> None:
    source = (
        "from wsgateway.brokers import apache\n"
        "apache.prepared()\n"
        "apache._rehearse = None  # a second rehearsal would fail\n"
        "kafka, left = apache.prepared()\n"
        "print(sorted(one.name for one in left.iterdir()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, env=dict(os.environ)
    )
    assert (done.returncode, done.stdout) == (0, "['classes.jsa', 'formatted']\n")
