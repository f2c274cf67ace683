"""The exercises of lesson 0."""

from collections.abc import Callable
from typing import Any

from wsgateway.lab.checks import call, expect, grade
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.ready.attempt import attempt, planted

_VISITORS = 3


def mend(answer: Any, cluster: Cluster) -> bool:
    """Exercise 0.1: `answer` holds settings with which a third gateway starts beside the others.

    Args:
        answer: the learner's settings.
        cluster: with gateways in this kernel.
    """

    def check() -> None:
        mended, given = call(lambda: answer), planted(cluster)
        expect(
            isinstance(mended, dict) and mended.keys() == given.keys(),
            f"Give a dictionary with {', '.join(given)}, as `faulty` has them.",
            f"应是一个字典，键与 `faulty` 相同：{', '.join(given)}。",
        )
        expect(
            mended["redis"] == given["redis"] and mended["key_prefix"] == given["key_prefix"],
            "The three gateways meet in one Redis, under one prefix: leave both as they are.",
            "三个网关要在同一个 Redis、同一个前缀下碰头：这两项别动。",
        )
        tried = attempt(mended)
        expect(
            tried.ready,
            f"The gateway did not start. It says: {tried.said}.",
            f"网关没有启动。它说：{tried.said}。",
        )

    return grade("0.1", check)


def busiest(answer: Callable[[], Any], cluster: Cluster) -> bool:
    """Exercise 0.2: `answer()` is the id of the gateway with the most connections.

    Args:
        answer: the learner's function; it asks the running gateways.
        cluster: with two gateways or more; visitors come and go.
    """

    def check() -> None:
        for gateway_id in reversed(cluster.gateways):
            visitors = [
                cluster.user(f"visitor-{gateway_id}-{number}", on=gateway_id)
                for number in range(_VISITORS)
            ]
            try:
                found = call(answer)
            finally:
                for visitor in visitors:
                    visitor.close()
            counts = {one: cluster.stats(one)["connections"] for one in cluster.gateways}
            expect(
                found in counts,
                f"Return the id of a gateway: {' or '.join(counts)}.",
                f"应返回网关的 id：{' 或 '.join(counts)}。",
            )
            expect(
                found == gateway_id,
                f"{_VISITORS} visitors came to {gateway_id}, and you still say {found}. "
                "Ask the gateways each time.",
                f"{gateway_id} 来了 {_VISITORS} 位访客，你却仍说是 {found}。每次都要去问网关。",
            )

    return grade("0.2", check)
