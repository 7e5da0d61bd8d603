"""The Bundle's own identifiers: repeatable, from the distributionID and the place, never from a business id.

A URL is `urn:uuid:` and a UUID of version 8 (RFC 9562, section 5.8): 72 bits of SHA-256 over the distributionID, then
12 bits for the kind of resource and 36 bits for its number among its kind.
"""

from hashlib import sha256

HEADER = 1  # the kind of the MessageHeader


def stem(distribution_id: str) -> str:
    """What all URLs of one message begin with; the kind (3 hex digits) and the number (9) follow."""
    digest = sha256(distribution_id.encode()).hexdigest()
    return f"urn:uuid:{digest[:8]}-{digest[8:12]}-8{digest[12:15]}-8{digest[15:18]}-"


def header_uuid(distribution_id: str | None) -> str:
    """The bare UUID of the MessageHeader of the message that has this distributionID."""
    return f"{stem(distribution_id or '')}{HEADER:03x}{0:09x}".removeprefix("urn:uuid:")
