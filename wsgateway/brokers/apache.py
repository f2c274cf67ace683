"""Apache Kafka itself as a child process: one node, KRaft, private, with its data until `stop`."""

import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path

from wsgateway.brokers.apache_jars import Installation, installation, kafka_version, locked, run
from wsgateway.brokers.server import Server, free_port, lines
from wsgateway.errors import BrokerError

_FORMAT_TIMEOUT_S = 60.0
_STARTED = "Kafka Server started"
_FORMATTED = "formatted"
_CLASSES = "classes.jsa"
# Why: a broker that lives for minutes gains more from a quick start than from quick code.
# 原因：只活几分钟的代理，启动快比代码跑得快更划算。
_JVM = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable")
_LOG = {"defaultLogLevel": "error", "log.kafka.server.KafkaRaftServer": "info"}
# Why: one node holds everything once, groups need not wait for more members, and the log cleaner
# makes do without 128 MB of its own. After a crash the node may not come back before its old
# session has ended: 9 s by default. Under 2 s a busy machine would end sessions that live.
# 原因：单节点，所有数据只有一份；消费者组不必等更多成员；日志清理器也用不着独占 128 MB。
# 崩溃后，要等旧会话过期节点才能重新加入，默认是 9 秒；若短于 2 秒，机器一忙就会误判活着的会话。
_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENTS",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",
    "log.cleaner.dedupe.buffer.size": "8388608",
}


class ApacheKafka(Server):
    """One private Apache Kafka on 127.0.0.1; it dies with this process.

    `with ApacheKafka() as server:` or `start` and `stop`. `kill` leaves its data, `restart` brings
    it back with them, `stop` removes them.

    Args:
        port: port to listen on; 0 takes a free one, and keeps it.
        sasl: user and password that clients must give (SASL_PLAINTEXT, PLAIN), if any; letters
            and digits only.
        options: further server properties; they win over ours, and may hold TLS settings.
    """

    program = "Apache Kafka"
    keeps_data = True
    start_timeout_s = 60.0

    def __init__(
        self,
        port: int = 0,
        *,
        sasl: tuple[str, str] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(port)
        self._sasl = sasl
        self._options = dict(options or {})

    @property
    def address(self) -> str:
        """Its bootstrap address, `HOST:PORT`."""
        return f"127.0.0.1:{self.port}"

    def _command(self, directory: Path, port: int) -> list[str]:
        kafka, left = prepared()
        data = directory / "data"
        if not data.is_dir():
            shutil.copytree(left / _FORMATTED, data)
        archive = f"-XX:SharedArchiveFile={left / _CLASSES}"
        return _java(kafka, archive, str(self._configured(directory, port)))

    def _configured(self, directory: Path, port: int) -> Path:
        """Write the properties; return their file."""
        controller = f"127.0.0.1:{free_port()}"
        protocol = "SASL_PLAINTEXT" if self._sasl else "PLAINTEXT"
        properties = {
            **_PROPERTIES,
            "log.dirs": str(directory / "data"),
            "listeners": f"CLIENTS://127.0.0.1:{port},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENTS://127.0.0.1:{port}",
            "listener.security.protocol.map": f"CLIENTS:{protocol},CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": f"1@{controller}",
        }
        if self._sasl:
            user, password = self._sasl
            properties |= {
                "sasl.enabled.mechanisms": "PLAIN",
                "sasl.mechanism.inter.broker.protocol": "PLAIN",
                "listener.name.clients.plain.sasl.jaas.config": (
                    "org.apache.kafka.common.security.plain.PlainLoginModule required "
                    f'username="{user}" password="{password}" user_{user}="{password}";'
                ),
            }
        text = "".join(f"{name}={value}\n" for name, value in (properties | self._options).items())
        file = directory / "server.properties"
        file.write_text(text, "utf-8")
        return file

    def _answer(self, pid: int, directory: Path, port: int) -> str | None:
        # Why: its own log, since what answers may be another broker that has the port.
        # 原因：看它自己的日志，因为应答的可能是占着端口的另一个代理。
        if any(_STARTED in line for line in lines(directory / "stderr.log")):
            return f"Apache Kafka {kafka_version()}"
        return None

    def _said(self, directory: Path) -> list[str]:
        return [line for line in super()._said(directory) if not line.startswith("\t")]


def prepared() -> tuple[Installation, Path]:
    """Return the Apache Kafka of this user, and what its first run left; the first call makes both.

    Raises:
        BrokerError: Java or Maven is missing, or one of them fails.
    """
    kafka = installation()
    left = kafka.directory / f"java-{kafka.java_version}"
    if not left.is_dir():
        with locked(left):
            if not left.is_dir():  # nobody did it while this process waited
                _rehearse(kafka, left)
    return kafka, left


class _Rehearsal(ApacheKafka):
    """The first run: storage is formatted, and Java notes the classes that Kafka loads.

    Args:
        kafka: what to run.
        left: directory for what it leaves.
    """

    def __init__(self, kafka: Installation, left: Path) -> None:
        super().__init__()
        self._kafka = kafka
        self._left = left

    def _command(self, directory: Path, port: int) -> list[str]:
        properties = str(self._configured(directory, port))
        java = [self._kafka.java, "-cp", self._kafka.classpath, "kafka.tools.StorageTool"]
        run(
            [*java, "format", "--cluster-id", "wsgateway", "--config", properties],
            "Apache Kafka cannot format its storage",
            _FORMAT_TIMEOUT_S,
        )
        shutil.copytree(directory / "data", self._left / _FORMATTED, dirs_exist_ok=True)
        notes = f"-XX:ArchiveClassesAtExit={self._left / _CLASSES}"
        return _java(self._kafka, notes, properties)

    def leave(self) -> None:
        """End it as it likes to end, for its notes to be written.

        Raises:
            BrokerError: it does not end.
        """
        child = self._running()
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(self.start_timeout_s)
        except TimeoutError as error:
            raise BrokerError(f"Apache Kafka does not end: {error}") from None


def _rehearse(kafka: Installation, left: Path) -> None:
    # Why: with the classes noted, and storage formatted, Kafka starts in 1.1 s instead of 2.8 s;
    # once per Java, since only that Java can read its notes.
    # 原因：记下要加载的类、格式化好存储之后，启动从 2.8 秒降到 1.1 秒；
    # 每个 Java 版本做一次，因为这份记录只有同一个 Java 读得懂。
    with tempfile.TemporaryDirectory(dir=kafka.directory, prefix="rehearsing-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        with _Rehearsal(kafka, made) as rehearsal:
            rehearsal.leave()
        made.rename(left)


def _java(kafka: Installation, archive: str, properties: str) -> list[str]:
    """Return the command that runs Kafka."""
    log = [f"-Dorg.slf4j.simpleLogger.{name}={value}" for name, value in _LOG.items()]
    return [kafka.java, *_JVM, archive, *log, "-cp", kafka.classpath, "kafka.Kafka", properties]
