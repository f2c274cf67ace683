"""The storm without machines: the same schedules, 1,000 clients, one gateway with a limit. Pure."""

import heapq
import random
from collections import Counter
from dataclasses import dataclass

from wsgateway.lab.reconnect.policies import Delay
from wsgateway.lab.reconnect.storm import Storm

_TICK_S = 0.1
# One try takes about as long as a packet to another city and back.
_TRIP_S = (0.02, 0.06)


@dataclass(frozen=True, slots=True)
class Outage:
    """What the clients meet with.

    Args:
        clients: how many lose their gateway, all in the same instant.
        down_s: nobody accepts connections for so long, seconds.
        limit_per_s: registrations that what comes back can take in one second; others are
            refused and must wait for their next attempt.
        patience_s: the simulation ends here, whoever is still waiting, seconds.
    """

    clients: int = 1_000
    down_s: float = 5.0
    limit_per_s: int = 500
    patience_s: float = 120.0


OUTAGE = Outage()


def simulate(delay_s: Delay, seed: int, outage: Outage = OUTAGE) -> Storm:
    """Let the clients come back by one schedule; the same seed gives the same storm.

    Args:
        delay_s: attempt and randomness -> seconds to wait before it.
        seed: of all randomness.
        outage: what they meet with.
    """
    rng = random.Random(seed)
    limit = outage.limit_per_s * _TICK_S
    taken: Counter[int] = Counter()
    attempts, back = [], []
    due = [(rng.uniform(*_TRIP_S) + delay_s(0, rng), one, 0) for one in range(outage.clients)]
    heapq.heapify(due)
    while due and due[0][0] < outage.patience_s:
        at_s, one, attempt = heapq.heappop(due)
        attempts.append(at_s)
        tick = int(at_s / _TICK_S)
        answered_s = at_s + rng.uniform(*_TRIP_S)
        if at_s >= outage.down_s and taken[tick] < limit:
            taken[tick] += 1
            back.append(answered_s)
        else:
            again_s = answered_s + delay_s(attempt + 1, rng)
            heapq.heappush(due, (again_s, one, attempt + 1))
    return Storm(outage.clients, attempts, back)
