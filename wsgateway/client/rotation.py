"""Which gateway to try next, and after how long. Pure: the randomness is an argument."""

import random
from collections.abc import Sequence, Set

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from wsgateway.client.options import Options
from wsgateway.errors import ConfigError

# Why: the hint comes from outside; a wrong one must not send a client away for a day.
# 原因：该提示来自外部；错误的提示不应让客户端离线一整天。
MAX_HINT_S = 60.0


class Rotation:
    """A ring of gateway addresses with the backoff that paces going round it.

    Args:
        urls: addresses in order of preference; the first is tried first.
        options: the backoff.
        rng: source of randomness.

    Raises:
        ConfigError: no address, or a malformed one.
    """

    def __init__(self, urls: Sequence[str], options: Options, rng: random.Random) -> None:
        self._urls = tuple(urls)
        if not self._urls:
            raise ConfigError("no gateway address given")
        for url in self._urls:
            _check(url)
        self._options = options
        self._rng = rng
        self._at = 0
        self._attempt = 0

    @property
    def url(self) -> str:
        """The gateway to connect to now."""
        return self._urls[self._at]

    @property
    def urls(self) -> Set[str]:
        """All addresses."""
        return frozenset(self._urls)

    def advance(self, hint_ms: int | None = None) -> float:
        """Move on to the next gateway; return the seconds to wait before trying it.

        Args:
            hint_ms: the spread a draining gateway asked for, milliseconds; None for backoff.
        """
        self._at = (self._at + 1) % len(self._urls)
        if hint_ms is not None:
            # Why: every client of a draining gateway gets the same hint. Only a random part of
            # it spreads them out; waiting exactly that long would move the storm, not calm it.
            # 原因：正在排空的网关会给所有客户端同一个提示。只有在其范围内随机取值才能错开；
            # 都等满同样的时间，只是把重连风暴推迟而已。
            return self._rng.uniform(0.0, min(hint_ms / 1000, MAX_HINT_S))
        delay_s = self._options.backoff_s(self._attempt, self._rng)
        self._attempt += 1
        return delay_s

    def held(self) -> None:
        """The last connection lasted: the next failure starts the backoff anew."""
        self._attempt = 0


def _check(url: str) -> None:
    try:
        parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise ConfigError(f"gateway address {url!r}: {error}") from None
