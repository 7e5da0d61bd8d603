"""A check: a function that looks at one thing, and what it raises where it is not as required."""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

from publishers.conformance.results import Outcome, Result

Bench = TypeVar("Bench")
Progress = Callable[[Result], None]


class Failed(Exception):
    """What was required is not so; the text says what was seen, expected and to be mended."""


class Skipped(Exception):
    """The run cannot tell; the text says why."""


@dataclass(frozen=True, slots=True)
class Check(Generic[Bench]):
    """One check over a bench. `run` returns where all is well, and raises Failed or Skipped otherwise.

    `message_types` are those that it has sent and received, answers apart.
    """

    id: str
    title: str
    requirements: tuple[str, ...]
    run: Callable[[Bench], Awaitable[None]]
    message_types: tuple[str, ...] = ("RS-EDA",)


def expect(condition: object, text: str) -> None:
    """Raises Failed with the text unless the condition holds."""
    if not condition:
        raise Failed(text)


async def run_checks(checks: Iterable[Check[Bench]], bench: Bench, progress: Progress) -> tuple[Result, ...]:
    """Run the checks in their order; `progress` hears each result at once."""
    results = []
    for check in checks:
        result = await _run(check, bench)
        progress(result)
        results.append(result)
    return tuple(results)


async def _run(check: Check[Bench], bench: Bench) -> Result:
    begun = time.monotonic()
    outcome, detail = Outcome.PASSED, ""
    try:
        await check.run(bench)
    except Failed as error:
        outcome, detail = Outcome.FAILED, str(error)
    except Skipped as error:
        outcome, detail = Outcome.SKIPPED, str(error)
    except httpx.HTTPError as error:
        outcome, detail = Outcome.FAILED, f"no answer: {type(error).__name__} {error}".strip()
    except Exception as error:  # noqa: BLE001 - an answer so wrong that the check breaks on it; never a broken run
        outcome, detail = Outcome.ERROR, f"the check broke on what it saw: {type(error).__name__}: {error}"
    seconds = round(time.monotonic() - begun, 3)
    return Result(check.id, check.title, check.requirements, outcome, detail, seconds, check.message_types)
