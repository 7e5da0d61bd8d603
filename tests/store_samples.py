"""Made-up messages for the store's tests, and a store on a fresh file."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.model import Answer, Delivery, Status, Submission
from gateway.store import Store, open_store

NOW = 1_800_000_000.0
LIMIT = 100_000


def submission(number: int = 1, **changes: Any) -> Submission:
    """A case message; what is not said depends on its number alone."""
    body = changes.pop("body", b'{"number": %d}' % number)
    values: dict[str, Any] = {
        "publisher_id": "north",
        "distribution_id": f"fr.health.samu440_{number}",
        "digest": hashlib.sha256(body).digest(),
        "media_type": "application/json",
        "body": body,
        "message_type": "RS-EDA",
        "model_version": "v3",
        "sender": "fr.health.samu440",
        "recipient": "fr.health.samu750",
        "case_id": f"fr.health.samu440.case{number}",
        "refers_to": "",
        "urgent": False,
        "quota": "ordinary",
        "received_at": NOW,
        "expires_at": NOW + 86_400,
    }
    return Submission(**{**values, **changes})


def delivery(number: int = 1, **changes: Any) -> Delivery:
    """A case message for the inbox of `south`."""
    values: dict[str, Any] = {
        "publisher_id": "south",
        "distribution_id": f"fr.health.samu440_{number}",
        "sender": "fr.health.samu440",
        "recipient": "fr.health.samu750",
        "message_type": "RS-EDA",
        "model_version": "v3",
        "content_type": "application/json",
        "content": b'{"number": %d}' % number,
        "case_id": f"fr.health.samu440.case{number}",
        "refers_to": "",
        "received_at": NOW,
        "loss": ({"path": "a.b", "target": "-", "reason": "no place"},),
    }
    return Delivery(**{**values, **changes})


def answer(detail: str = "RC-REF r", status: Status | None = Status.ACKNOWLEDGED, **changes: Any) -> Answer:
    """What the recipient of `submission(1)` says about it, or the Hub where `status` says so."""
    values: dict[str, Any] = {
        "refers_to": "fr.health.samu440_1",
        "answered_by": "fr.health.samu750",
        "sent_by": "fr.health.samu440",
    }
    return Answer(**{**values, **changes}, status=status, detail=detail)


async def answered(store: Store, given: Answer, now: float = NOW) -> None:
    """The answer comes, into an inbox that no test looks at."""
    reference = delivery(
        0,
        publisher_id="answers",
        distribution_id=given.detail,
        message_type="RC-REF",
        sender=given.answered_by,
    )
    await store.deposit(reference, now, given)


def url(folder: Path) -> str:
    """The URL of the database in a folder."""
    return f"sqlite:///{folder / 'gateway.db'}"


@asynccontextmanager
async def opened(database: Path | str, backlog_limit: int = LIMIT, now: float = NOW) -> AsyncIterator[Store]:
    """A store on the database of a URL, or on that in a folder, closed at the end."""
    database_url = database if isinstance(database, str) else url(database)
    store = await open_store(database_url, backlog_limit=backlog_limit, now=now)
    try:
        yield store
    finally:
        await store.close()


async def timeline(store: Store, receipt_id: str, publisher_id: str = "north") -> list[str]:
    """The steps of a message."""
    found = await store.get(publisher_id, receipt_id)
    assert found is not None
    return [step.step for step in found[1]]


async def status(store: Store, receipt_id: str, publisher_id: str = "north") -> Status:
    """The status of a message."""
    found = await store.get(publisher_id, receipt_id)
    assert found is not None
    return found[0].status


async def claimed(store: Store, now: float = NOW, limit: int = 100) -> list[str]:
    """The ids of what is claimed."""
    return [job.id for job in await store.claim(now, limit)]
