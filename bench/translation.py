"""What translation costs, warm, in one process: `python -m bench.translation`.

Each type to FHIR and back as a multiple of a plain recursive copy of the same message, and conversions of an RS-EDA from
v3 to v2 a second, from bytes to bytes: decoded, converted, judged by the schema of v2, encoded. The same to the fire side and
back again, where the recipient knows the case: what it knows is decoded from its bytes too. The messages are those of
tests/cases.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.message import body
from gateway import edxl, translation
from gateway.conversion import Context, convert
from gateway.model import Message

CASES = Path(__file__).parent.parent / "tests" / "cases"
CONVERSION = "conversion_rs_eda_v3_v2"
TO_FIRE, TO_HEALTH = "crossing_rs_eda_with_context", "crossing_rc_eda_with_context"
FIRE = "fr.fire.nexsis.sdis76"
ROUNDS, SECONDS = 5, 0.02
Figure = dict[str, Any]


def figures(rounds: int = ROUNDS) -> dict[str, Figure]:
    """Median, least and most of each figure over the rounds."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for message_type, message in messages().items():
            plain = _each(partial(copied, message.document))
            bundle = translation.to_fhir(message)
            there = _each(partial(translation.to_fhir, message)) / plain
            back = _each(partial(translation.from_fhir, bundle)) / plain
            found.setdefault(f"to_fhir_{message_type}", []).append(there)
            found.setdefault(f"from_fhir_{message_type}", []).append(back)
        steps = {CONVERSION: _conversion(), **_crossings()}
        for name, step in steps.items():
            found.setdefault(name, []).append(1 / _each(step))
    return {name: _row(name, values) for name, values in found.items()}


def _row(name: str, values: list[float]) -> Figure:
    unit = "conversions/s" if name in {CONVERSION, TO_FIRE, TO_HEALTH} else "x a plain copy of the message"
    told = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {**{key: round(value, 2) for key, value in told.items()}, "unit": unit}


def messages() -> dict[str, Message]:
    """The fullest case of each type in v3; RS-EDA is the one that the whole benchmark sends."""
    found = {}
    for folder in sorted(CASES.iterdir()):
        files = sorted(folder.glob("full/in.json"))
        if files:
            found[folder.name] = edxl.decode(files[0].read_bytes(), edxl.JSON, "v3")
    found["RS-EDA"] = edxl.decode(body("a" * 16), edxl.JSON, "v3")
    return {name: message for name, message in found.items() if message.message_type}


def copied(value: Any) -> Any:
    """A plain recursive copy: what any translation in Python costs at least."""
    if isinstance(value, dict):
        return {name: copied(member) for name, member in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def _conversion() -> Callable[[], Any]:
    raw = body("a" * 16)

    def once() -> bytes:
        there = convert(edxl.decode(raw, edxl.JSON, "v3"), "v2").message
        return edxl.encode(there.document, edxl.JSON, "v2").content

    return once


def _crossings() -> dict[str, Callable[[], Any]]:
    """A case that goes to the fire side a second time, with another location; and its first form that comes back."""
    case = edxl.decode(body("a" * 16), edxl.JSON, "v3")
    health = case.envelope.sender_id
    first = _sent(case, health, FIRE, 1)
    there = convert(edxl.decode(first, edxl.JSON, "v3"), "v3", "RC-EDA").message
    back = _sent(there, FIRE, health, 2)
    case.body["location"]["freetext"] = "Une autre entrée"
    again = _sent(case, health, FIRE, 3)
    known = edxl.encode(there.document, edxl.JSON, "v3").content
    return {
        TO_FIRE: partial(_crossed, again, known, "RC-EDA"),
        TO_HEALTH: partial(_crossed, back, first, "RS-EDA"),
    }


def _sent(message: Message, sender: str, recipient: str, number: int) -> bytes:
    address = {**message.document["descriptor"]["explicitAddress"], "explicitAddressValue": recipient}
    descriptor = {**message.document["descriptor"], "explicitAddress": address}
    identifier = f"{sender}_{number}"
    document = {
        **message.document, "distributionID": identifier, "senderID": sender, "descriptor": descriptor,
    }  # fmt: skip
    return edxl.encode(document, edxl.JSON, "v3").content


def _crossed(raw: bytes, known: bytes, message_type: str) -> bytes:
    context = Context((edxl.decode(known, edxl.JSON, "v3"),))
    there = convert(edxl.decode(raw, edxl.JSON, "v3"), "v3", message_type, context).message
    return edxl.encode(there.document, edxl.JSON, "v3").content


def _each(step: Callable[[], Any]) -> float:
    """Seconds of one call, warm: the least of three runs."""
    step()
    least = float("inf")
    for _ in range(3):
        count, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < SECONDS:
            step()
            count += 1
        least = min(least, elapsed / count)
    return least


def main() -> None:
    """The table."""
    table = Table("figure", "median", "min", "max", "unit")
    for name, row in figures().items():
        table.add_row(name, *(f"{row[key]:,.2f}" for key in ("median", "min", "max")), row["unit"])
    Console().print(table)


if __name__ == "__main__":
    main()
