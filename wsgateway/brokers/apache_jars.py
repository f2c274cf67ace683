"""Apache Kafka on this machine: its jars, fetched once per user by Maven, and a Java to run it."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from wsgateway.errors import BrokerError

JAVA_VERSION = 17
_POM = Path(__file__).with_name("pom.xml")
_MAVEN_TIMEOUT_S = 600.0
_JAVA_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Installation:
    """What it takes to run Apache Kafka.

    Args:
        java: the Java program.
        java_version: its full version.
        directory: of this version in the cache; the jars are in `jars`.
        version: of Kafka.
    """

    java: str
    java_version: str
    directory: Path
    version: str

    @property
    def classpath(self) -> str:
        """All jars, as Java wants to hear it."""
        return str(self.directory / "jars" / "*")


def installation() -> Installation:
    """Return the Apache Kafka of this user; the first call fetches it.

    Raises:
        BrokerError: Java or Maven is missing, or Maven fails.
    """
    java, java_version = find_java()
    version = kafka_version()
    # Why: named for all of the pom, so that a changed pom of the same Kafka is fetched anew.
    # 原因：目录名取自整个 pom 的摘要，这样 Kafka 版本不变而 pom 改了，也会重新下载。
    digest = hashlib.sha256(_POM.read_bytes()).hexdigest()[:8]
    directory = cache_directory() / f"kafka-{version}-{digest}"
    if not directory.is_dir():
        with locked(directory):
            if not directory.is_dir():  # nobody fetched it while this process waited
                _fetch(directory)
    return Installation(java, java_version, directory, version)


def kafka_version() -> str:
    """Return the version of Apache Kafka that the pom names."""
    found = ElementTree.parse(_POM).findtext(".//{*}kafka.version")
    assert found is not None
    return found


def cache_directory() -> Path:
    """Return this user's cache, made if need be: `XDG_CACHE_HOME`, else `~/.cache`, /wsgateway.

    Raises:
        BrokerError: it cannot be made.
    """
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wsgateway"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BrokerError(f"cache directory {path}: {error.strerror}") from None
    return path


def find_java() -> tuple[str, str]:
    """Return the Java to use, the one of `JAVA_HOME` first, and its version.

    Raises:
        BrokerError: there is none, or it is too old.
    """
    wanted = f"Apache Kafka needs Java {JAVA_VERSION} or newer"
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        where = f"JAVA_HOME ({home})" if home else "PATH"
        raise BrokerError(f"{wanted}: no java in {where}")
    said = run([java, "-version"], f"{wanted}: {java} does not run", _JAVA_TIMEOUT_S)
    found = re.search(r'version "((\d+)[^"]*)"', said)
    if found is None:
        raise BrokerError(f"{wanted}: {java} does not say its version")
    if int(found[2]) < JAVA_VERSION:  # Java 8 calls itself 1.8
        raise BrokerError(f"{wanted}: {java} is {found[1]}")
    return java, found[1]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process of this user make `path` at a time; the others wait."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command: Sequence[str], trouble: str, timeout_s: float) -> str:
    """Run a program; return all it printed.

    Args:
        command: program and arguments.
        trouble: what the error begins with.
        timeout_s: bound on it, seconds.

    Raises:
        BrokerError: it cannot run, or fails; one line with its first error.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except OSError as error:
        raise BrokerError(f"{trouble}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise BrokerError(f"{trouble}: not done in {timeout_s:g} s") from None
    if done.returncode:
        said = done.stdout.strip().splitlines() or [f"exit status {done.returncode}"]
        first = next((line for line in said if "ERROR" in line), said[-1])
        raise BrokerError(f"{trouble}: {first.removeprefix('[ERROR] ')}")
    return done.stdout


def _fetch(directory: Path) -> None:
    """Let Maven fill `directory`."""
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError("Apache Kafka is fetched by Maven: no mvn in PATH")
    # Why: filled beside its place and renamed when complete, so that a download that broke off is
    # never taken for a whole one.
    # 原因：先放在旁边，完整后再改名，中断的下载才不会被当成完整的。
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix="fetching-") as scratch:
        filled = Path(scratch) / "kafka"
        jars = filled / "jars"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        command = [maven, "--batch-mode", "--quiet", "--file", str(_POM), *goal]
        run(command, "Maven cannot fetch Apache Kafka", _MAVEN_TIMEOUT_S)
        if not any(jars.glob("kafka-clients-*.jar")):
            raise BrokerError("Maven cannot fetch Apache Kafka: it left no jars")
        filled.rename(directory)
