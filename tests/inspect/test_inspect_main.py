"""`python -m wsgateway.inspect` as people run it: one line when it cannot, and nothing started."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from users import Cluster, User

from wsgateway.brokers import ApacheKafka, RedisServer, TansuServer, free_port
from wsgateway.inspect.__main__ import parser
from wsgateway.inspect.look import NOTHING_KEPT

PATIENCE_S = 60
QUESTIONS = ("presence alice", "gateways", "topics", "lag", "lag g1", "dead-letters")


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return python("-m", "wsgateway.inspect", *arguments, **variables)


def python(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WSGATEWAY_")}
    return subprocess.run(
        [sys.executable, *arguments],
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


async def answer(*arguments: str, **variables: str) -> str:
    """Return what it prints, while gateways in this process go on."""
    done = await asyncio.to_thread(run, *arguments, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refusal(*arguments: str, status: int = 1, **variables: str) -> str:
    done = run(*arguments, **variables)
    assert (done.returncode, done.stdout) == (status, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("wsgateway: ")
    return line


async def test_settings_by_flag_before_or_after_the_command_or_by_variable(
    redis_server: RedisServer, key_prefix: str
) -> None:
    async with Cluster(redis_server, key_prefix) as cluster:
        (g1,) = await cluster.start("g1")
        async with User(g1.url, "alice"):
            flags = ("--redis", redis_server.url, "--key-prefix", key_prefix)
            variables = {"WSGATEWAY_REDIS": redis_server.url, "WSGATEWAY_KEY_PREFIX": key_prefix}
            told = [
                await answer(*flags, "presence", "alice"),
                await answer("presence", "alice", *flags),
                await answer(*flags[:2], "presence", "alice", *flags[2:]),
                await answer("presence", "alice", **variables),
                await answer(*flags, "presence", "alice", **variables | {"WSGATEWAY_REDIS": "x:"}),
            ]
            assert all("gateway     g1" in text for text in told), told
            for question in QUESTIONS[3:]:
                assert await answer(*flags, *question.split()) == f"{NOTHING_KEPT}\n"


async def test_machines_get_one_json_object(
    redis_server: RedisServer, tansu_server: TansuServer, key_prefix: str
) -> None:
    flags = ["--redis", redis_server.url, "--key-prefix", key_prefix, "--json"]
    on_kafka = ["--router", "kafka", "--kafka", tansu_server.address]
    async with Cluster(redis_server, key_prefix, tansu_server.address) as cluster:
        await cluster.start("g1")
        for question in QUESTIONS:
            one = json.loads(await answer(*flags, *question.split()))
            other = json.loads(await answer(*flags, *on_kafka, *question.split()))
            assert one.keys() == other.keys()
            if question.startswith("presence"):
                assert one == other
                assert one["state"] == "nowhere"
            else:
                assert (one["router"], other["router"]) == ("redis", "kafka")
                assert "Tansu" in other["broker"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "presence|gateways"),
        ("who", "invalid choice"),
        ("presence", "user"),
        ("presence b\u00f6b", "A-Z a-z"),
        ("lag g/1", "A-Z a-z"),
        ("dead-letters --last 0", "1 to 1000"),
        ("dead-letters --last 1001", "1 to 1000"),
        ("dead-letters --last x", "1 to 1000"),
        ("gateways --port 1", "unrecognized"),
    ],
)
def test_wrong_usage_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], words: str, why: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words.split())
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("wsgateway: ")
    assert why in line


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("gateways --router nats", "redis"),
        ("gateways --router kafka --kafka nonsense", "HOST:PORT"),
        ("gateways --router kafka --kafka h:1 --kafka-security-protocol SASL_SSL", "needs both"),
        ("gateways --redis-timeout-s 0", "above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(words: str, why: str) -> None:
    assert why in refusal(*words.split(), status=2)


def test_brokers_that_cannot_be_asked_are_said_in_one_line(
    redis_server: RedisServer, tansu_server: TansuServer, sasl_apache: ApacheKafka, tmp_path: Path
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    assert nobody in refusal("gateways", "--redis", f"redis://{nobody}")
    kafka = tansu_server.address
    assert kafka in refusal("presence", "a", "--redis", f"redis://{kafka}")
    on_kafka = ("--redis", redis_server.url, "--router", "kafka")
    assert nobody in refusal("topics", *on_kafka, "--kafka", nobody)
    sasl = (*on_kafka, "--kafka", sasl_apache.address)
    assert "login" in refusal("lag", *sasl)
    login = ("--kafka-security-protocol", "SASL_PLAINTEXT", "--kafka-sasl-username", "user")
    wrong = refusal("lag", *sasl, *login, "--kafka-sasl-password", "hunter2")
    assert "refuses this login" in wrong
    assert "hunter2" not in wrong
    cafile = str(tmp_path / "missing.pem")
    missing = ("--kafka-security-protocol", "SSL", "--kafka-ssl-cafile", cafile)
    assert "certificates" in refusal("lag", *sasl, *missing, status=2)


async def test_behind_a_login_and_behind_tls(
    redis_server: RedisServer,
    sasl_apache: ApacheKafka,
    tls_apache: ApacheKafka,
    tls_certificate: Path,
    key_prefix: str,
) -> None:
    logins = (
        (
            sasl_apache.address,
            {
                "kafka_security_protocol": "SASL_PLAINTEXT",
                "kafka_sasl_username": "user",
                "kafka_sasl_password": "s3cret",
            },
        ),
        (
            tls_apache.address,
            {
                "kafka_security_protocol": "SSL",
                "kafka_ssl_cafile": str(tls_certificate),
            },
        ),
    )
    for address, settings in logins:
        async with Cluster(redis_server, key_prefix, address) as cluster:
            await cluster.start("g1", **settings)
            variables = {f"WSGATEWAY_{name.upper()}": value for name, value in settings.items()}
            flags = ("--router", "kafka", "--redis", redis_server.url, "--kafka", address)
            told = await answer("topics", *flags, "--key-prefix", key_prefix, **variables)
            assert "g1 alive" in told
            assert "s3cret" not in told


@pytest.mark.parametrize(
    ("router", "hint"),
    [("redis", "(--redis or WSGATEWAY_REDIS)"), ("kafka", "(--kafka or WSGATEWAY_KAFKA)")],
)
def test_nothing_is_started_where_nothing_runs(router: str, hint: str) -> None:
    # On other ports than the standard ones, where something may run on this machine.
    free = free_port()
    program = (
        "import sys; from wsgateway.inspect import __main__, look;"
        f"look.STANDARD_PORT = look.KAFKA_PORT = {free};"
        "sys.exit(__main__.main())"
    )
    done = python("-c", program, "gateways", "--router", router)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert f"127.0.0.1:{free} does not answer: Connection refused {hint}" in line


def test_redis_mode_needs_no_kafka_library(
    redis_server: RedisServer, tansu_server: TansuServer
) -> None:
    program = (
        "import sys; sys.modules['aiokafka'] = None;"
        "from wsgateway.inspect.__main__ import main; sys.exit(main())"
    )
    flags = ("--redis", redis_server.url, "--kafka", tansu_server.address)
    for question in ("presence alice", "gateways", "topics", "lag", "dead-letters"):
        done = python("-c", program, *question.split(), *flags)
        assert (done.returncode, done.stderr) == (0, "")
    done = python("-c", program, "lag", "--router", "kafka", *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'wsgateway[kafka]'" in done.stderr


def test_whoever_stops_reading_ends_it_quietly(redis_server: RedisServer) -> None:
    command = [sys.executable, "-m", "wsgateway.inspect", "topics", "--redis", redis_server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE_S) == 1


def test_every_setting_is_one_of_a_gateways(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--help"])
    assert ended.value.code == 0
    help_text = capsys.readouterr().out
    for name in ("ROUTER", "REDIS", "KAFKA", "KEY_PREFIX", "KAFKA_SSL_KEYFILE"):
        assert f"WSGATEWAY_{name}" in help_text
    assert "WSGATEWAY_PORT" not in help_text
