"""The official scripts: each step a check, the publisher in its own role. The files are given, not shipped.

A script file is a list of categories `{"categoryLabel", "testCases": [{"label", "steps": […]}]}`. A step is `send` or `receive` from
the publisher's side; `file` names a sample, `{root key: …}`; `ignoredProperties` are JSON paths that are not compared;
`idOverrideProperties` are set to the sender's id.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

import schemas
from publishers.conformance import messages
from publishers.conformance.checks import Check, Skipped, expect
from publishers.conformance.software.bench import ARRIVES_WITHIN, SoftwareBench, differences
from publishers.conformance.software.faults import sending

JsonObject = dict[str, Any]
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class WrongScripts(ValueError):
    """A script file that cannot be played; the text says where."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a script. `role` is the publisher's: sender or receiver."""

    id: str
    title: str
    role: str
    file: str
    content: JsonObject
    ignored: frozenset[str]
    own_id: tuple[str, ...]


def checks(file: Path, samples: Path) -> tuple[Check[SoftwareBench], ...]:
    """Every step of a script file as a check, in order. Raises WrongScripts and OSError."""
    found = {path.name: path for path in sorted(samples.rglob("*.json"))}
    try:
        steps = [
            step(f"script-{number}/{row['id']}", case["label"], row, found)
            for number, case in enumerate(
                (case for part in orjson.loads(file.read_bytes()) for case in part["testCases"]), 1
            )
            for row in case["steps"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise WrongScripts(f"{file}: {type(error).__name__} {error}") from None
    return tuple(check(one) for one in steps)


def step(id_: str, case: str, row: JsonObject, samples: dict[str, Path]) -> Step:
    """One step with its sample, {} where there is none."""
    role = {"send": "sender", "receive": "receiver"}[row["type"]]
    content = orjson.loads(samples[row["file"]].read_bytes()) if row["file"] in samples else {}
    return Step(
        id_,
        f"{case}: {row['label']}",
        role,
        row["file"],
        content,
        frozenset(row.get("ignoredProperties", ())),
        tuple(row.get("idOverrideProperties", ())),
    )


def check(one: Step) -> Check[SoftwareBench]:
    """A step as a check."""

    async def run(bench: SoftwareBench) -> None:
        if not one.content:
            raise Skipped(f"there is no sample {one.file}")
        await (send if one.role == "sender" else receive)(bench, one)

    return Check(one.id, one.title, (f"{one.role}.official-scripts",), run, message_types(one.content))


def message_types(content: JsonObject) -> tuple[str, ...]:
    """The type of a sample's use case, () where it is none."""
    known = schemas.ALL_ROOT_KEYS["v3"]
    return tuple(known[key] for key in content if key in known)


async def send(bench: SoftwareBench, one: Step) -> None:
    """The software sends; the other SAMU compares."""
    content = with_id(one, bench.me)
    order = await bench.order(content)
    before = len(bench.proxy.seen)
    await bench.send(order)
    sent = [seen for seen in bench.proxy.seen[before:] if sending("")(seen) and seen.status in {200, 202}]
    expect(sent, "no message was accepted")
    item = await bench.partner.arrived(sent[-1].distribution_id, ARRIVES_WITHIN)
    expect(item, f"the message did not come to the other SAMU within {ARRIVES_WITHIN:.0f} s")
    compare(one, await bench.at_partner(order), messages.use_case(item["content"] if item else {}))


async def receive(bench: SoftwareBench, one: Step) -> None:
    """The other SAMU sends; what the software has stored is compared, and its ack awaited."""
    content = with_id(one, bench.partner.id)
    document = await bench.partner.send(content)
    kept = await bench.received(document)
    mine = next(row for row in kept if row.get("distributionID") == document["distributionID"])
    compare(one, await bench.at_software(document), bench.use_case(mine))
    answer = await bench.partner.reference(document["distributionID"], ARRIVES_WITHIN)
    expect(answer, f"no RC-REF came back within {ARRIVES_WITHIN:.0f} s")


def compare(one: Step, wanted: JsonObject, got: JsonObject) -> None:
    """Raises Failed where two use cases differ at a place that counts."""
    ignored = one.ignored | frozenset(one.own_id)
    found = differences(wanted, got, ignored)
    expect(not found, f"differences at {', '.join(found[:8])}")


def with_id(one: Step, actor: str) -> JsonObject:
    """The step's content with the sender's id where the script wants it."""
    content: JsonObject = orjson.loads(orjson.dumps(one.content))
    for path in one.own_id:
        place: Any = content
        steps = [name or int(index) for name, index in _STEP.findall(path.removeprefix("$"))]
        for name in steps[:-1]:
            place = place[name]
        place[steps[-1]] = actor
    return content
