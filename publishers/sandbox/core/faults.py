"""How the simulated core is made to fail: `POST /faults`."""

import random
from dataclasses import dataclass
from typing import Any

NUMBERS = {"status": (100, 599), "count": (0, 1_000_000), "latency_ms": (0, 600_000)}


class WrongFault(ValueError):
    """No such fault; the text says what is expected."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way of failing. `count` requests fail so, or a share `rate` of all that follow, drawn from `seed`.

    `status` None lets the request through: late by `latency_ms`, or with its answer dropped.
    """

    status: int | None
    count: int
    latency_ms: int = 0
    drop_answer: bool = False
    rate: float | None = None
    seed: int = 0


def parse(wish: Any) -> Fault:
    """A fault from its JSON form; a status that is not given is 503, None beside latency or a dropped answer.

    Raises WrongFault.
    """
    if not isinstance(wish, dict):
        raise WrongFault("an object is expected")
    unknown = sorted(wish.keys() - {*NUMBERS, "drop_answer", "rate", "seed"})
    if unknown:
        raise WrongFault(
            f"{unknown[0][:40]}: not known; known are status, count, latency_ms, drop_answer, rate, seed"
        )
    for name, (low, high) in NUMBERS.items():
        if name in wish and not (name == "status" and wish[name] is None):
            _require_integer(name, wish[name], low, high)
    if "seed" in wish:
        _require_integer("seed", wish["seed"], -(2**63), 2**63)
    drop_answer, rate = wish.get("drop_answer", False), wish.get("rate")
    if not isinstance(drop_answer, bool):
        raise WrongFault("drop_answer: true or false is expected")
    if rate is not None and (
        isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1
    ):
        raise WrongFault("rate: a number from 0 to 1 is expected")
    if rate is not None and "count" in wish:
        raise WrongFault("count and rate: only one of them is expected")
    latency_ms = wish.get("latency_ms", 0)
    status = wish.get("status", None if latency_ms or drop_answer else 503)
    return Fault(status, wish.get("count", 1), latency_ms, drop_answer, rate, wish.get("seed", 0))


def _require_integer(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise WrongFault(f"{name}: a whole number from {low} to {high} is expected")


class Faults:
    """The fault that is set, and how much of it is left."""

    def __init__(self) -> None:
        self._fault: Fault | None = None
        self._left = 0
        self._random = random.Random(0)  # noqa: S311 - a seeded share, nothing secret

    def set(self, fault: Fault) -> None:
        """Takes the place of the fault before."""
        self._fault, self._left = fault, fault.count
        self._random.seed(fault.seed)

    def current(self) -> tuple[Fault, int] | None:
        """The fault that is on with how many requests it still takes, None where none is; a share takes all."""
        if self._fault is None or (self._fault.rate is None and self._left <= 0):
            return None
        return self._fault, max(self._left, 0)

    def next(self) -> Fault | None:
        """How the request that comes now is to fail, None = not at all."""
        fault = self._fault
        if fault is None:
            return None
        if fault.rate is not None:
            return fault if self._random.random() < fault.rate else None
        self._left -= 1
        return fault if self._left >= 0 else None
