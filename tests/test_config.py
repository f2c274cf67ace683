"""Settings: nonsense is refused in words, and every setting has a flag and a variable."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from wsgateway.__main__ import parser
from wsgateway.config import Config, env_name, host_id
from wsgateway.errors import ConfigError
from wsgateway.protocol import is_id

SCALED = ("ping_s", "heartbeat_timeout_s", "sweep_s", "presence_ttl_s", "canary_s")
SAMPLES = {
    "gateway_id": "g7",
    "host": "127.0.0.2",
    "port": "8181",
    "router": "kafka",
    "kafka": "kafka-1:9092,[::1]:9093",
    "kafka_security_protocol": "SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_sasl_username": "gateway",
    "kafka_sasl_password": "secret",
    "kafka_ssl_cafile": "ca.pem",
    "kafka_ssl_certfile": "us.pem",
    "kafka_ssl_keyfile": "us.key",
    "redis": "redis://elsewhere:6379",
    "key_prefix": "class-3:",
    "log_level": "debug",
    "log_format": "json",
}


def sample(name: str, default: Any) -> str:
    """Return a text for `name` that differs from its default and makes sense."""
    return SAMPLES.get(name) or str(round(default * 1.5))


def from_flags(*argv: str, **environ: str) -> Config:
    return Config.from_sources(vars(parser().parse_args(argv)), environ)


@pytest.mark.parametrize(
    ("nonsense", "text"),
    [
        ({"gateway_id": ""}, "gateway id ''"),
        ({"gateway_id": "a b"}, "gateway id 'a b'"),
        ({"gateway_id": "g" * 65}, "1 to 64"),
        ({"gateway_id": "g1\n"}, "gateway id"),
        ({"port": -1}, "port -1: must be 0 to 65535"),
        ({"port": 65536}, "port 65536"),
        ({"router": "pigeon"}, "router 'pigeon': must be redis, kafka"),
        ({"log_level": "loud"}, "log_level 'loud': must be debug, info"),
        ({"log_format": "xml"}, "log_format 'xml': must be text, json"),
        ({"ping_s": 0}, "ping_s 0: must be above 0"),
        ({"ping_s": float("nan")}, "ping_s nan"),
        ({"drain_s": float("inf")}, "drain_s inf"),
        ({"lease_ttl_s": float("inf")}, "lease_ttl_s inf"),
        ({"lease_ttl_s": 0.0001}, "lease_ttl_s 0.0001"),
        ({"window": 0}, "window 0: must be above 0"),
        ({"outbox_bytes": -5}, "outbox_bytes -5"),
        ({"presence_ttl_s": 59}, "presence_ttl_s 59 is below two pings (2 x 30 s)"),
        ({"heartbeat_timeout_s": 59}, "heartbeat_timeout_s 59 is below two pings"),
        ({"ping_s": 46}, "presence_ttl_s 90 is below two pings (2 x 46 s)"),
    ],
)
def test_nonsense_is_refused_in_words(nonsense: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(**{"gateway_id": "g1", **nonsense})
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_exactly_two_pings_are_enough() -> None:
    assert Config(gateway_id="g1", ping_s=45).ping_s == 45


def test_it_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().port = 1  # type: ignore[misc]  # the point of the test


def test_timeout_and_ttl_are_three_pings() -> None:
    config = Config()
    assert config.heartbeat_timeout_s == config.presence_ttl_s == 3 * config.ping_s


@pytest.mark.parametrize("factor", [0.01, 0.5, 3])
def test_scaling_keeps_every_ratio_and_touches_nothing_else(factor: float) -> None:
    plain, scaled = Config(), Config().scaled(factor)
    for one in fields(Config):
        expected = getattr(plain, one.name)
        if one.name in SCALED:
            expected = pytest.approx(expected * factor)
        assert getattr(scaled, one.name) == expected, one.name


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf"), 1e-9])
def test_a_scale_that_makes_no_sense(factor: float) -> None:
    with pytest.raises(ConfigError):
        Config().scaled(factor)


@pytest.mark.parametrize("one", fields(Config), ids=lambda one: one.name)
def test_every_setting_has_a_variable_and_a_flag_which_wins(one: Any) -> None:
    default = getattr(Config(), one.name)
    text = sample(one.name, default)
    flag = "--id" if one.name == "gateway_id" else f"--{one.name.replace('_', '-')}"
    by_variable = from_flags(**{env_name(one.name): text})
    by_flag = from_flags(flag, text, **{env_name(one.name): "loses"})
    assert by_flag == by_variable
    assert getattr(by_variable, one.name) != default
    assert type(getattr(by_variable, one.name)) is type(default) or default is None


def test_names_of_the_variables() -> None:
    assert env_name("gateway_id") == "WSGATEWAY_ID"
    assert env_name("presence_ttl_s") == "WSGATEWAY_PRESENCE_TTL_S"


def test_the_scale_comes_from_flag_or_variable_and_the_flag_wins() -> None:
    assert from_flags(WSGATEWAY_TIME_SCALE="0.1").ping_s == pytest.approx(3)
    scaled = from_flags("--time-scale", "0.01", "--ping-s", "20", WSGATEWAY_TIME_SCALE="0.1")
    assert scaled.ping_s == pytest.approx(0.2)


def test_an_empty_variable_is_no_setting() -> None:
    assert from_flags(WSGATEWAY_PORT="", WSGATEWAY_TIME_SCALE="") == from_flags()


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"WSGATEWAY_PORT": "http"}, "port 'http': must be a whole number"),
        ({"WSGATEWAY_PORT": "80.5"}, "port '80.5': must be a whole number"),
        ({"WSGATEWAY_PING_S": "soon"}, "ping_s 'soon': must be a number"),
        ({"WSGATEWAY_TIME_SCALE": "x"}, "time_scale 'x': must be a number"),
        ({"WSGATEWAY_PING_S": "nan"}, "ping_s nan"),
        ({"WSGATEWAY_PORT": "9" * 5000}, "must be a whole number"),
    ],
)
def test_a_value_that_cannot_be_read(environ: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_flags(**environ)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("web-1.example.org", "web-1-example-org"),
        ("主机", "gateway"),
        ("-.-", "gateway"),
        ("h" * 99, "h" * 64),
    ],
)
def test_the_host_name_becomes_an_id(
    monkeypatch: pytest.MonkeyPatch, host: str, expected: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert host_id() == expected
    assert is_id(Config().gateway_id)
