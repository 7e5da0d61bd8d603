"""A posted body as a message, and what it shows by itself: in the event loop, or in a worker where that takes long. Pure."""

from typing import NamedTuple

from gateway import intake, validation
from gateway.edxl import facts
from gateway.model import Message
from gateway.offload import HEAVY, Offload, is_heavy, looks_urgent
from gateway.validation import Findings

ACCEPTED = Findings(complete=False)


class Posting(NamedTuple):
    """A body, and how it is to be read and judged; `owner` is whose it is."""

    body: bytes
    media_type: str
    model_version: str
    strict_codes: bool
    owner: str


async def read(offload: Offload, posting: Posting) -> tuple[Message, Findings | None]:
    """The message, and what it shows where that is known already: it is then `facts.brief`. Raises Refused (400, 415, 422)."""
    if offload.is_open and is_heavy(posting.body, posting.media_type):
        return await _in_worker(offload, posting)
    return intake.decode(posting.body, posting.media_type, posting.model_version), None


async def find(offload: Offload, posting: Posting, message: Message, *, warnings: bool) -> Findings:
    """What a message that `read` gave shows by itself; without `warnings`, of a good one nothing more than that it is good."""
    strict = posting.strict_codes
    small = len(posting.body) <= HEAVY
    if not warnings and validation.accepts(message, strict_codes=strict, small=small):
        return ACCEPTED
    if not offload.is_open:
        return validation.find(message, strict_codes=strict)
    few = validation.find_few(message, strict_codes=strict)
    return few if few is not None else (await _in_worker(offload, posting))[1]


async def _in_worker(offload: Offload, posting: Posting) -> tuple[Message, Findings]:
    return await offload.run(posting.owner, looks_urgent(posting.body), judged, posting)


def judged(posting: Posting) -> tuple[Message, Findings]:
    """The message in brief, and everything that it shows. Raises Refused."""
    message = intake.decode(posting.body, posting.media_type, posting.model_version)
    return facts.brief(message), validation.find(message, strict_codes=posting.strict_codes)
