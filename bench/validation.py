"""What judging costs: every visible RS-EDA by the whole of `validation.judge`, beside jsonschema-rs alone on its use case.

`python -m bench.validation`. The peer judges by the official JSON Schema where a checkout of it stands beside the repository,
else by the one made from the field table. Also how the time for a hostile id grows with its length.
"""

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
from rich.console import Console
from rich.table import Table

import schemas
from bench.message import body
from gateway import edxl, validation
from gateway.model import JsonObject, Message

OFFICIAL = Path(__file__).parents[1].parent / "shared" / "hubsante"
EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "rs-eda.json"
ROOT = "createCaseHealth"
ROUNDS, BATCHES, REPEATS = 5, 5, 100
LENGTHS = tuple(2**power for power in range(5, 16))  # 32 to 32,768 characters


def peer_schema() -> tuple[JsonObject, str]:
    """The schema that the peer judges by, and which it is."""
    path, which = OFFICIAL / "json-schema" / "v3" / "RS-EDA.schema.json", "official"
    if not path.exists():
        path, which = schemas.file("RS-EDA", "v3.schema.json"), "own"
    made: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    return made, which


def messages() -> dict[str, Message]:
    """Every RS-EDA there is to see, in an envelope, by name."""
    found = {"docs/examples/rs-eda.json": _message(orjson.loads(EXAMPLE.read_bytes()))}
    found["bench"] = _message(orjson.loads(body("v" * 16)))
    for path in sorted((OFFICIAL / "samples" / "v3" / "RS-EDA").glob("*.json")):
        found[path.stem] = _enveloped(json.loads(path.read_text(encoding="utf-8"))[ROOT])
    return found


def _message(document: JsonObject) -> Message:
    return edxl.message(document, "v3")


def _enveloped(use_case: Any) -> Message:
    document = orjson.loads(body("v" * 16))
    document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"][ROOT] = use_case
    return _message(document)


def figures() -> dict[str, dict[str, Any]]:
    """Messages a second on one core, ours and the peer's; and how often as long ours takes for the message where it is worst."""
    schema, which = peer_schema()
    peer = jsonschema_rs.Draft7Validator(schema, validate_formats=True)
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, message in messages().items():
            ours.setdefault(name, []).append(_seconds(partial(validation.judge, message)))
            theirs.setdefault(name, []).append(_seconds(partial(peer.is_valid, message.body)))
    times = [statistics.median(ours[name]) / statistics.median(theirs[name]) for name in ours]
    unit = f"messages/s, one core, {which} schema"
    return {
        "validate": _rate(ours, unit),
        "validate_peer": _rate(theirs, unit),
        "validate_times": {
            "median": round(statistics.median(times), 3),
            "min": round(min(times), 3),
            "max": round(max(times), 3),
            "unit": f"times as long as jsonschema-rs alone, over {len(times)} messages",
        },
    }


def _rate(seconds: dict[str, list[float]], unit: str) -> dict[str, Any]:
    rounds = [len(each) / sum(each) for each in zip(*seconds.values(), strict=True)]
    told = {"median": statistics.median(rounds), "min": min(rounds), "max": max(rounds)}
    return {**{name: round(value, 1) for name, value in told.items()}, "unit": unit}


def hostile_ids() -> list[tuple[int, float]]:
    """Length of a caseId that only its last character makes wrong, and the seconds for its verdict."""
    whole = _message(orjson.loads(body("v" * 16)))
    found = []
    for length in LENGTHS:
        whole.body["caseId"] = "a" * (length - 1) + "!"
        assert not validation.is_valid(whole)
        found.append((length, _seconds(partial(validation.is_valid, whole))))
    return found


def _seconds(step: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(BATCHES):
        started = time.process_time()
        for _ in range(REPEATS):
            step()
        best = min(best, time.process_time() - started)
    return best / REPEATS


def show() -> None:
    """The hostile ids as a table: linear is a doubling of the time, less the rest of the message, with the length."""
    table = Table("hostile caseId, characters", "us for the verdict", "ns more a character")
    measured = hostile_ids()
    shortest, least = measured[0]
    for length, seconds in measured:
        more = (seconds - least) * 1e9 / (length - shortest) if length > shortest else 0.0
        table.add_row(f"{length:,}", f"{seconds * 1e6:.1f}", f"{more:.1f}")
    Console().print(table)


def main() -> None:
    """The command line, and the tables."""
    table = Table("figure", "median", "min", "max", "unit")
    for name, row in figures().items():
        table.add_row(name, *(f"{row[key]:,.2f}" for key in ("median", "min", "max")), row["unit"])
    Console(width=120).print(table)
    show()


if __name__ == "__main__":
    main()
