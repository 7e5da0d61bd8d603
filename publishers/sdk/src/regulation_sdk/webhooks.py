"""Is this webhook from the gateway? Standard Webhooks with asymmetric signatures (`v1a`, Ed25519). Pure: no network, no clock.

The signature covers `<webhook-id>.<webhook-timestamp>.<body>`. While keys rotate there are several, each as good as another.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE = 300.0  # seconds
PREFIX, PUBLIC_KEY = "v1a,", "whpk_"
MAX_SIGNATURES = 16

Keys = Mapping[str, Any] | Iterable[str]


class WebhookError(ValueError):
    """The webhook is not to be believed; answer it 400. The text says why."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that is believed. Do nothing twice for the same `id`."""

    id: str
    timestamp: int
    body: bytes = field(repr=False)


def verify_webhook(
    body: bytes, headers: Mapping[str, str], keys: Keys, *, now: float, tolerance: float = TOLERANCE
) -> Webhook:
    """The webhook, if one of its signatures is by one of the keys and it is neither older nor newer than `tolerance` seconds.

    `body` are the bytes as they came. `headers` may have any case. `keys` is a JWK Set with OKP keys on Ed25519, or texts
    `whpk_<base64 of the 32 bytes>`. `now` is POSIX seconds. Raises WebhookError; ValueError where no key is usable.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        webhook_id, sent, signatures = (given[f"webhook-{n}"] for n in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise WebhookError(f"the header {missing.args[0]} is missing") from None
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
        raise WebhookError("webhook-timestamp is no number of seconds")
    if abs(now - int(sent)) > tolerance:
        raise WebhookError(
            f"it was sent {now - int(sent):+.0f} seconds from now: replayed, or a clock is wrong"
        )
    signed = f"{webhook_id}.{sent}.".encode() + body
    usable = public_keys(keys)
    for text in signatures.split()[:MAX_SIGNATURES]:
        if text.startswith(PREFIX) and any(_is_by(key, text[len(PREFIX) :], signed) for key in usable):
            return Webhook(webhook_id, int(sent), body)
    raise WebhookError("none of its signatures is by a known key")


def public_keys(keys: Keys) -> list[Ed25519PublicKey]:
    """The Ed25519 keys of a JWK Set (others are left out), or of `whpk_` texts. Raises ValueError where there is none."""
    if isinstance(keys, str):
        keys = [keys]
    if isinstance(keys, Mapping):
        jwks = keys.get("keys", [keys])
        found = [_from_base64(str(k.get("x")) + "=", url=True) for k in jwks if k.get("crv") == "Ed25519"]
    else:
        found = [_from_base64(text.removeprefix(PUBLIC_KEY)) for text in keys]
    if not found:
        raise ValueError("there is no Ed25519 key")
    return [Ed25519PublicKey.from_public_bytes(raw) for raw in found]


def _is_by(key: Ed25519PublicKey, signature: str, signed: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), signed)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _from_base64(text: str, *, url: bool = False) -> bytes:
    try:
        return base64.b64decode(text, altchars=b"-_" if url else None, validate=True)
    except binascii.Error as error:
        raise ValueError("a key is no base64") from error
