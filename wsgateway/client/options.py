"""The numbers of a `Client`. Pure."""

import random
from dataclasses import dataclass

from wsgateway.backoff import full_jitter


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Bounds and times of one client; the defaults suit a person's client.

    Args:
        connect_timeout_s: bound on entering, seconds; None waits for ever.
        open_timeout_s: bound on one attempt to connect and register, seconds.
        answer_timeout_s: a message without an answer is written again after, seconds.
        inbox: messages the application has not taken before reading stops.
        window: sends under way at once; more wait their turn.
        backoff_base_s: upper bound of the first retry delay, seconds.
        backoff_cap_s: no retry delay is longer, seconds.
        steady_s: a connection held this long is good: the backoff starts anew, seconds.
    """

    connect_timeout_s: float | None = 30.0
    # Why: a paused gateway's kernel still accepts connections; this bound leaves it.
    # 原因：网关进程被暂停时，内核仍会接受连接；等到这个上限就放弃它。
    open_timeout_s: float = 5.0
    answer_timeout_s: float = 5.0
    inbox: int = 256
    # Why: as many as a gateway takes from one connection at once (its own window); more would
    # only sit in the socket, with the pings behind them.
    # 原因：与网关对单个连接的窗口相同；再多也只是堆在套接字里，还会挡住后面的 ping。
    window: int = 64
    backoff_base_s: float = 0.2
    backoff_cap_s: float = 5.0
    # Why: were only a connection as long as the cap good, a client whose gateway is restarted
    # a few times in a row would be kept away by the outages it had already overcome.
    # 原因：若要撑满退避上限那么久才算正常，网关接连重启几次时，
    # 客户端会因为早已熬过去的中断而迟迟不来重连。
    steady_s: float = 1.0

    def backoff_s(self, attempt: int, rng: random.Random) -> float:
        """Return the delay before retry number `attempt` (from 0), seconds."""
        return full_jitter(attempt, base_s=self.backoff_base_s, cap_s=self.backoff_cap_s, rng=rng)
