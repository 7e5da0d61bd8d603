"""What the core has: every arrival in order, each Bundle once, and which of them were delivered; with a journal if wanted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from publishers.sandbox.core import bundle as canonical
from publishers.sandbox.core.bundle import Bundle

JsonObject = dict[str, Any]


class Arrivals:
    """Kept in memory. With `journal`, a file of JSON lines, they outlive the process (not the machine: it is not fsynced)."""

    def __init__(self, journal: Path | None = None) -> None:
        self._arrivals: list[JsonObject] = []
        self._bundles: dict[tuple[str, int], Bundle] = {}
        self._by_id: dict[str, list[Bundle]] = {}
        self._undelivered: dict[tuple[str, int], Bundle] = {}
        if journal is not None and journal.exists():
            for line in journal.read_bytes().splitlines():
                self._replay(orjson.loads(line))
        self._file = journal.open("ab", buffering=0) if journal is not None else None

    def take(self, bundle: Bundle, now: float, status: int | None) -> bool:
        """Record an arrival (`now` in POSIX seconds, `status` as answered, None = not answered). True = it is new."""
        new = bundle.key not in self._bundles
        arrival = {
            "distributionID": bundle.distribution_id,
            "messageType": bundle.message_type,
            "recipient": bundle.recipient,
            "at": now,
            "duplicate": not new,
            "status": status,
        }
        self._write({"arrival": arrival, "bundle": bundle.body.decode() if new else None})
        self._add(arrival, bundle if new else None)
        return new

    def delivered(self, bundle: Bundle, status: int) -> None:
        """The gateway has taken the Bundle, or has refused it for good with that status."""
        self._write({"delivered": list(bundle.key), "status": status})
        self._undelivered.pop(bundle.key, None)

    def all(self) -> list[JsonObject]:
        """Every arrival, oldest first, duplicates too."""
        return self._arrivals

    def undelivered(self) -> tuple[Bundle, ...]:
        """What still has to go to its recipient, oldest first."""
        return tuple(self._undelivered.values())

    def bundles(self, distribution_id: str | None) -> Iterator[Bundle]:
        """The Bundles, oldest first; only those of one distributionID where it is given."""
        return iter(
            self._bundles.values() if distribution_id is None else self._by_id.get(distribution_id, ())
        )

    def close(self) -> None:
        """Close the journal."""
        if self._file is not None:
            self._file.close()

    def _add(self, arrival: JsonObject, bundle: Bundle | None) -> None:
        self._arrivals.append(arrival)
        if bundle is not None:
            self._bundles[bundle.key] = self._undelivered[bundle.key] = bundle
            self._by_id.setdefault(bundle.distribution_id, []).append(bundle)

    def _replay(self, line: JsonObject) -> None:
        if "arrival" in line:
            self._add(line["arrival"], canonical.read(line["bundle"].encode()) if line["bundle"] else None)
        else:
            distribution_id, index = line["delivered"]
            self._undelivered.pop((distribution_id, index), None)

    def _write(self, line: JsonObject) -> None:
        if self._file is not None:
            self._file.write(orjson.dumps(line) + b"\n")
