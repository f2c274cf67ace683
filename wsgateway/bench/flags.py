"""The flags that the commands have in common."""

import argparse
import math
import shlex
from collections.abc import Callable
from typing import Any

from wsgateway.bench.run import wsgateway_target
from wsgateway.bench.shape import Shape
from wsgateway.bench.target import Target
from wsgateway.command import Parser, seconds


def add_shape(parser: Parser, *, duration_s: float = 5.0, warmup_s: float = 1.0) -> None:
    """Add the flags of a `Shape`."""
    add = parser.add_argument
    add("--pairs", type=whole(1), default=50, metavar="N", help="sender-recipient pairs [50]")
    add("--size", type=whole(40), default=100, metavar="BYTES", help="of a content [100]")
    add("--in-flight", type=whole(1), default=32, metavar="N", help="per pair, closed loop [32]")
    add("--duration", type=seconds, default=duration_s, metavar="S", help=f"[{duration_s:g} s]")
    add("--warmup", type=seconds, default=warmup_s, metavar="S", help=f"[{warmup_s:g} s]")
    add("--load-processes", type=whole(1), default=2, metavar="N", help="that send [2]")
    add("--ceiling", action="store_true", help="measure the load processes themselves, too")


def add_common(parser: Parser) -> None:
    """Add the flags that every command has."""
    add = parser.add_argument
    add("--router", choices=("redis", "kafka"), default="redis", help="[redis]")
    add("--kafka", choices=("tansu", "apache"), default="tansu", help="which Kafka [tansu]")
    add("--gateway", metavar="FLAGS", type=shlex.split, default=[], help="more flags of a gateway")
    add("--seed", type=whole(0), default=1, metavar="N", help="of all that is random [1]")
    add("--json", metavar="FILE", help="write everything as JSON")
    add("--plot", metavar="FILE", help="draw a PNG")


def shape(given: argparse.Namespace, **changes: Any) -> Shape:
    """Return the shape the flags ask for, with changes."""
    asked = {
        "pairs": given.pairs,
        "size_bytes": given.size,
        "in_flight": given.in_flight,
        "warmup_s": given.warmup,
        "duration_s": given.duration,
        "load_processes": given.load_processes,
        "seed": given.seed,
    }
    return Shape(**asked | changes)


def target(given: argparse.Namespace) -> Target:
    """Return the gateway the flags ask for."""
    return wsgateway_target(router=given.router, flags=given.gateway)


def whole(least: int) -> Callable[[str], int]:
    """Return what reads a flag's value: a whole number, at least `least`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number from {least} on")
        return int(text)

    return read


def several(least: int) -> Callable[[str], list[int]]:
    """Return what reads a flag's value: whole numbers with commas between."""
    one = whole(least)
    return lambda text: [one(part) for part in text.split(",")]


def positive(text: str) -> float:
    """Read a flag's value: a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number above 0")
    return value
