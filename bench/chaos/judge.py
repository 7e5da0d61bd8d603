"""Receipts against the core's arrivals and the recipients' inboxes, and what was admitted against the quota."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of it. `lost`, `undelivered` (not in the recipient's inbox), `delivered_twice`, `out_of_order` (at the
    core, or in an inbox) are distributionIDs; `doubled` arrivals are allowed: the core has idempotent operations.
    """

    receipts: int
    arrivals: int
    doubled: int
    lost: tuple[str, ...]
    out_of_order: tuple[str, ...]
    undelivered: tuple[str, ...]
    delivered_twice: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Nothing lost, overtaken, missing or there twice."""
        return not (self.lost or self.out_of_order or self.undelivered or self.delivered_twice)

    def __str__(self) -> str:
        return (
            f"{self.receipts} receipts, {self.arrivals} arrivals ({self.doubled} repeated), {len(self.lost)} lost, "
            f"{len(self.out_of_order)} out of order, {len(self.undelivered)} not in the inbox, "
            f"{len(self.delivered_twice)} there twice"
        )


def judge(
    receipts: Iterable[JsonObject], arrivals: list[JsonObject], inboxes: Mapping[str, list[str]]
) -> Finding:
    """`inboxes` are the distributionIDs of each publisher's items, oldest first."""
    sent = {receipt["distributionID"]: receipt for receipt in receipts}
    arrived = [arrival["distributionID"] for arrival in arrivals]
    order = {ident: (receipt["lane"], receipt["index"]) for ident, receipt in sent.items()}
    back = [*overtaken(order, arrived)]
    for items in inboxes.values():
        back += overtaken(order, items)
    at = {publisher: Counter(items) for publisher, items in inboxes.items()}
    found = {ident: at.get(receipt["recipient"], Counter())[ident] for ident, receipt in sent.items()}
    everywhere = Counter(ident for items in inboxes.values() for ident in items)
    return Finding(
        len(sent),
        len(arrived),
        sum(bool(arrival["duplicate"]) for arrival in arrivals),
        tuple(sorted(sent.keys() - set(arrived))),
        tuple(back),
        tuple(sorted(ident for ident, count in found.items() if count == 0)),
        tuple(sorted(ident for ident, count in everywhere.items() if count > 1)),
    )


def slowest(receipts: Iterable[JsonObject], arrivals: list[JsonObject]) -> float:
    """The most seconds from a receipt to the core, of those that arrived."""
    first: dict[str, float] = {}
    for arrival in arrivals:
        first.setdefault(arrival["distributionID"], arrival["at"])
    waits = (
        first[receipt["distributionID"]] - datetime.fromisoformat(receipt["receivedAt"]).timestamp()
        for receipt in receipts
        if receipt["distributionID"] in first
    )
    return max(waits, default=0.0)


def overtaken(order: Mapping[str, tuple[str, int]], names: Iterable[str]) -> list[str]:
    """Those that come after a later one of their lane. A repeat must not go back either."""
    last: dict[str, int] = defaultdict(int)
    found = []
    for name in names:
        lane, index = order.get(name, ("", 0))
        if index < last[lane]:
            found.append(name)
        last[lane] = max(last[lane], index)
    return found
