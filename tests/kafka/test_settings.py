"""From settings to what aiokafka is told; what cannot be used is said at once."""

import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from wsgateway.config import Config
from wsgateway.errors import ConfigError
from wsgateway.kafka.settings import kafka_settings, login_settings


def config(**options: Any) -> Config:
    return Config(**{"router": "kafka", "kafka": "one:9092", **options})


def test_plain_text_needs_no_more_than_where() -> None:
    assert kafka_settings(config(kafka="one:9092,[::1]:9093")) == {
        "bootstrap_servers": ["one:9092", "[::1]:9093"],
        "security_protocol": "PLAINTEXT",
    }


def test_without_an_address_there_is_nothing_to_connect_to() -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        kafka_settings(config(kafka=None))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_is_passed_through(mechanism: str) -> None:
    settings = login_settings(
        config(
            kafka_security_protocol="SASL_PLAINTEXT",
            kafka_sasl_mechanism=mechanism,
            kafka_sasl_username="user",
            kafka_sasl_password="s3cret",
        )
    )
    assert settings == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "user",
        "sasl_plain_password": "s3cret",
    }


def test_tls_checks_who_answers(tls_certificate: Path) -> None:
    trusted = login_settings(
        config(kafka_security_protocol="SSL", kafka_ssl_cafile=str(tls_certificate))
    )["ssl_context"]
    assert trusted.verify_mode is ssl.CERT_REQUIRED
    assert trusted.check_hostname
    assert [one["subject"] for one in trusted.get_ca_certs()] == [((("commonName", "localhost"),),)]


def test_tls_and_a_login_together(tls_certificate: Path) -> None:
    settings = login_settings(
        config(
            kafka_security_protocol="SASL_SSL",
            kafka_sasl_username="user",
            kafka_sasl_password="s3cret",
            kafka_ssl_certfile=str(tls_certificate.with_name("both.pem")),
        )
    )
    assert {"ssl_context", "sasl_mechanism", "sasl_plain_username"} <= set(settings)


@pytest.fixture
def unusable(tmp_path: Path, tls_certificate: Path) -> dict[str, Path]:
    garbage, empty, locked = (tmp_path / name for name in ("garbage", "empty", "locked.pem"))
    garbage.write_bytes(bytes(range(256)))
    empty.touch()
    command = ["openssl", "rsa", "-aes256", "-passout", "pass:word", "-out", str(locked)]
    key = tls_certificate.with_name("key.pem")
    subprocess.run([*command, "-in", str(key)], check=True, capture_output=True)
    return {
        "missing": tmp_path / "missing",
        "a directory": tmp_path,
        "garbage": garbage,
        "empty": empty,
        "locked": locked,
        "key": key,
        "certificate": tls_certificate,
    }


@pytest.mark.parametrize(
    "files",
    [
        {"cafile": "missing"},
        {"cafile": "a directory"},
        {"cafile": "garbage"},
        {"cafile": "empty"},
        {"certfile": "missing"},
        {"certfile": "garbage"},
        {"certfile": "certificate"},  # no key in it
        {"certfile": "certificate", "keyfile": "missing"},
        {"certfile": "certificate", "keyfile": "empty"},
        {"certfile": "certificate", "keyfile": "locked"},
    ],
    ids=str,
)
def test_a_certificate_file_that_cannot_be_used_is_said_in_one_line(
    files: dict[str, str], unusable: dict[str, Path]
) -> None:
    options = {f"kafka_ssl_{name}": str(unusable[what]) for name, what in files.items()}
    with pytest.raises(ConfigError, match=r"^certificates for Kafka: .") as said:
        login_settings(config(kafka_security_protocol="SSL", **options))
    assert "\n" not in str(said.value)
