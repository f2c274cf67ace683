"""How to reach Kafka, as aiokafka's clients take it. Needs no aiokafka itself."""

import ssl
from typing import Any

from wsgateway.config import Config
from wsgateway.errors import ConfigError


def login_settings(config: Config) -> dict[str, Any]:
    """Return how to log in: TLS and SASL.

    Raises:
        ConfigError: a certificate file cannot be used.
    """
    settings: dict[str, Any] = {"security_protocol": config.kafka_security_protocol}
    if "SSL" in config.kafka_security_protocol:
        settings["ssl_context"] = _ssl_context(config)
    if "SASL" in config.kafka_security_protocol:
        settings["sasl_mechanism"] = config.kafka_sasl_mechanism
        settings["sasl_plain_username"] = config.kafka_sasl_username
        settings["sasl_plain_password"] = config.kafka_sasl_password
    return settings


def kafka_settings(config: Config) -> dict[str, Any]:
    """Return where the brokers are, and how to log in.

    Raises:
        ValueError: `config.kafka` is None.
        ConfigError: a certificate file cannot be used.
    """
    if config.kafka is None:
        raise ValueError("config.kafka must be HOST:PORT[,HOST:PORT]")
    return {"bootstrap_servers": config.kafka.split(","), **login_settings(config)}


def _ssl_context(config: Config) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.kafka_ssl_cafile)
        if config.kafka_ssl_certfile is not None:
            context.load_cert_chain(config.kafka_ssl_certfile, config.kafka_ssl_keyfile)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"certificates for Kafka: {error.strerror or error}") from None
    return context
