"""A message's timeline as the embedded store keeps it, in the message's own row.

Each step is a JSON array of its name, time and detail with a comma after it: one is added by appending. None is ever changed, but
of many attempts in vain only the last stays (`attempts`).
"""

from collections.abc import Iterable

import orjson

from gateway.model import Step
from gateway.store.arrivals import DETAIL
from gateway.store.rows import CAUSES


def write(steps: Iterable[Step]) -> str:
    """What to append for these steps."""
    return "".join(f"{orjson.dumps((s.step, s.at, s.detail[:DETAIL])).decode()}," for s in steps)


def read(text: str) -> tuple[Step, ...]:
    """The steps of a whole timeline, in their order."""
    return tuple(Step(*one) for one in orjson.loads(f"[{text[:-1]}]"))


def without_last(text: str, name: str) -> str:
    """A whole timeline without the last step of this name."""
    steps = read(text)
    last = max((number for number, step in enumerate(steps) if step.step == name), default=len(steps))
    return write((*steps[:last], *steps[last + 1 :]))


def last_cause(text: str) -> str:
    """The detail of the last step that has a cause, "" where there is none."""
    return next((one.detail for one in reversed(read(text)) if one.step in CAUSES), "")
