"""There and back between model versions, and one way between the health and the fire side (CISU), over the official samples,
beside the peer: `python -m tests.round_trips`.

Between versions a leaf counts as lost where, after there and back, it is not where it was with its value. The peer's figures
are those of the Hub Santé's converter on all samples of v3 (its RS-EDA: 7 and 12 of 543 leaves; from side to side 141 of 281 and
214 of 543 moved or changed). Between the sides, "lost" is what the report names without a place for it, a withheld subject
with all its leaves; "as text" is part of a sentence for people.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

import schemas
from gateway import edxl, validation
from gateway.conversion import cisu, convert, crossing
from gateway.errors import NotApplicable, Untranslatable
from gateway.model import Message
from tests.strategies import enveloped
from tests.test_conversion import INNER, inner, leaves

SAMPLES = Path(__file__).parents[1].parent / "shared" / "hubsante" / "samples"
PEER = {
    ("RS-EDA", "v3", "v2"): 7 / 543,
    ("RS-EDA", "v3", "v1"): 12 / 543,
    ("RS-SR", "v3", "v1"): 1 / 62,
}
PEER_SIDES = {
    ("RC-EDA", "v3", "RS-EDA"): 141 / 281,
    ("RS-EDA", "v3", "RC-EDA"): 214 / 543,
}
SAMU, FIRE = "fr.health.samu440", "fr.fire.nexsis.sdisZ"


@dataclass(slots=True)
class Trip:
    """All samples of a type from one version to another and back."""

    samples: int = 0
    leaves: int = 0
    reported: int = 0  # on the way there
    texts: int = 0  # of these, leaves that stand in a text
    withheld: int = 0  # of these, leaves that the other side is not to know
    lost: int = 0
    refused: int = 0

    @property
    def share(self) -> float:
        """What part of the leaves is lost."""
        return self.lost / max(self.leaves, 1)


def samples() -> Iterator[Message]:
    """The official samples in an envelope of ours."""
    for version in schemas.VERSIONS:
        for path in sorted((SAMPLES / version).glob("*/*.json")):
            root = schemas.root_key(schemas.ALIASES.get(path.parent.name, path.parent.name), version)
            loaded = orjson.loads(path.read_bytes())
            yield edxl.message(enveloped(root, loaded.get(root, loaded)), version)


def trips() -> dict[tuple[str, str, str], Trip]:
    """Every type and pair of versions that both have it. Raises AssertionError where a result is not valid."""
    found: dict[tuple[str, str, str], Trip] = {}
    for message in samples():
        for version in schemas.VERSIONS:
            if version != message.model_version and message.message_type in schemas.message_types(version):
                key = (message.message_type, message.model_version, version)
                _take(message, version, found.setdefault(key, Trip()))
    return found


def sides() -> dict[tuple[str, str, str], Trip]:
    """From one side of CISU to the other, in v3. Raises AssertionError where a result is not valid."""
    found: dict[tuple[str, str, str], Trip] = {}
    for sample in samples():
        other = cisu.OTHER.get(sample.message_type)
        if other and sample.model_version == "v3":
            ends = (FIRE, SAMU) if sample.message_type.startswith("RC-") else (SAMU, FIRE)
            document = enveloped(sample.root_key, sample.body, sender=ends[0], recipient=ends[1])
            trip = found.setdefault((sample.message_type, "v3", other), Trip())
            _cross(edxl.message(document, "v3"), trip, other)
    return found


def _take(message: Message, version: str, trip: Trip) -> None:
    before = dict(leaves(inner(message)))
    trip.samples += 1
    trip.leaves += len(before)
    try:
        there = convert(message, version)
    except Untranslatable:
        trip.refused += 1
        return
    back = convert(there.message, message.model_version)
    assert validation.is_valid(there.message) and validation.is_valid(back.message)
    trip.reported += len(there.lost)
    after = dict(leaves(inner(back.message)))
    trip.lost += sum(path not in after or after[path] != value for path, value in before.items())


def _cross(message: Message, trip: Trip, other: str) -> None:
    before = dict(leaves(inner(message), INNER[:-1]))
    trip.samples += 1
    trip.leaves += len(before)
    try:
        there = convert(message, "v3", other)
    except NotApplicable:
        trip.refused += 1
        return
    assert validation.is_valid(there.message)
    trip.texts += sum(loss["reason"].endswith(crossing.AS_TEXT) for loss in there.lost)
    withheld = tuple(loss["path"] for loss in there.lost if loss["reason"].endswith(crossing.WITHHELD))
    every = [loss for loss in there.lost if not loss["reason"].endswith(cisu.NO_CONTEXT)]
    gone = tuple(loss["path"] for loss in every if not loss["target"])
    trip.reported += len(every)
    trip.withheld += sum(path.startswith(withheld) for path in before)
    trip.lost += sum(path.startswith(gone) for path in before)


def main() -> int:
    """The table; 1 where the samples are not there."""
    if not SAMPLES.exists():
        sys.stderr.write(f"{SAMPLES} is not there\n")
        return 1
    columns = (
        "type",
        "there and back",
        "samples",
        "leaves",
        "in the report",
        "as text",
        "withheld",
        "lost",
        "share",
        "peer",
        "refused",
    )
    table = Table(*columns)
    for key, trip in [*sorted(trips().items()), *sorted(sides().items())]:
        message_type, source, target = key
        share = {**PEER, **PEER_SIDES}.get(key)
        peer = "" if share is None else f"{share:.1%}"
        counts = (trip.samples, trip.leaves, trip.reported, trip.texts, trip.withheld, trip.lost)
        way = f"{source}-{target}-{source}" if target in schemas.VERSIONS else target
        table.add_row(message_type, way, *map(str, counts), f"{trip.share:.1%}", peer, str(trip.refused))
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
