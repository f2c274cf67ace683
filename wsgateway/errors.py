"""Every error and every code a user of the gateway can meet, in one place. No I/O."""

from enum import IntEnum, StrEnum


class WsGatewayError(Exception):
    """Base of all errors raised on purpose; its text is one line fit for a terminal."""


class ConfigError(WsGatewayError):
    """A setting makes no sense."""


class BrokerUnavailable(WsGatewayError):
    """A broker did not answer, or refused: the outcome of what it was asked is not known."""


class RedisUnavailable(BrokerUnavailable):
    """Redis did not answer, or refused."""


class KafkaUnavailable(BrokerUnavailable):
    """Kafka did not answer, or refused."""


class GatewayIdTaken(WsGatewayError):
    """Another live gateway holds this gateway id."""


class LeaseLost(WsGatewayError):
    """Another gateway took this gateway's id while it was not looking (a long pause)."""


class BrokerError(WsGatewayError):
    """A broker process could not be found, started or stopped."""


class Overloaded(WsGatewayError):
    """A bounded queue is full: the caller must refuse the work and say so."""


class Replaced(WsGatewayError):
    """The user registered elsewhere; this session is over (close code 4001)."""


class ErrorCode(StrEnum):
    """The `code` of an error frame. Stable: clients may switch on it."""

    NOT_JSON = "not_json"
    BAD_FRAME = "bad_frame"
    DUPLICATE_KEY = "duplicate_key"
    UNKNOWN_TYPE = "unknown_type"
    BAD_USER_ID = "bad_user_id"
    BAD_ID = "bad_id"
    EMPTY_CONTENT = "empty_content"
    TO_SELF = "to_self"
    NOT_REGISTERED = "not_registered"
    ALREADY_REGISTERED = "already_registered"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class CloseCode(IntEnum):
    """WebSocket close codes the gateway sends (RFC 6455 section 7.4; 4000-4999 are ours)."""

    BINARY = 1003
    BAD_UTF8 = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    RESTART = 1012
    REPLACED = 4001
    HEARTBEAT_TIMEOUT = 4002
    REGISTER_TIMEOUT = 4003
    SLOW_CONSUMER = 4004

    @property
    def terminal(self) -> bool:
        """Whether a client must not reconnect: it would throw out its own successor."""
        return self is CloseCode.REPLACED
