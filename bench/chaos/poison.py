"""What becomes of messages that the core always fails: they wait, and their timelines stay short."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.chaos.senders import Senders
from gateway.store.attempts import LISTED
from publishers.sandbox.publishers import DemoPublisher

MOST_STEPS = (
    LISTED + 5
)  # received, translated, the last attempt, and some that two replicas wrote at one moment


@dataclass(frozen=True, slots=True)
class Poison:
    """`waiting` of the `sent` ones are still to be forwarded; `steps` are those of the longest timeline."""

    sent: int
    waiting: int
    steps: int
    last: str  # what the last step of the longest timeline says

    @property
    def clean(self) -> bool:
        """Whether none was lost, and no timeline grew without end."""
        return self.waiting == self.sent and self.steps <= MOST_STEPS

    def __str__(self) -> str:
        return f"poison: {self.waiting} of {self.sent} wait, {self.steps} steps at most, the last: {self.last or 'none'}"


async def look(senders: Senders, sent: Sequence[tuple[DemoPublisher, str]], replica: str) -> Poison:
    """How they stand."""
    told = [await senders.timeline(publisher, receipt_id, replica) for publisher, receipt_id in sent]
    longest = max((one["timeline"] for one in told), key=len, default=[{"detail": ""}])
    return Poison(
        len(sent), sum(one["status"] == "received" for one in told), len(longest), longest[-1]["detail"]
    )
