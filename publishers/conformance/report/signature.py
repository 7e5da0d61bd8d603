"""Detached JWS (RFC 7515, appendix F) over a report, ES256: `header..signature`, its public key in the header as `jwk`."""

import base64
import binascii
from pathlib import Path
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

JsonObject = dict[str, Any]
ALGORITHM = "ES256"
PUBLIC = ("kty", "crv", "x", "y")


class NotSigned(ValueError):
    """The signature is not that of these bytes, or not of the key expected."""


def new_key() -> JsonObject:
    """A fresh private JWK, EC P-256, with its thumbprint (RFC 7638) as kid."""
    return ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True)


def public_key(key: JsonObject) -> JsonObject:
    """The public part of a JWK."""
    return {name: key[name] for name in PUBLIC}


def read_key(path: Path) -> JsonObject:
    """The JWK in a file. Raises ValueError where it is none on P-256, and OSError."""
    try:
        key = orjson.loads(path.read_bytes())
        _imported(key)
    except (ValueError, TypeError, KeyError, JoseError):
        raise ValueError(f"{path}: no JWK of an EC key on P-256") from None
    return dict(key)


def key_at(path: Path) -> JsonObject:
    """The private JWK in a file, which is made for its owner alone where there is none. Raises ValueError and OSError."""
    if path.exists():
        return private(read_key(path), path)
    path.parent.mkdir(parents=True, exist_ok=True)
    key = new_key()
    path.touch(mode=0o600)
    path.write_bytes(orjson.dumps(key) + b"\n")
    path.with_suffix(".pub.json").write_bytes(orjson.dumps(public_key(key)) + b"\n")
    return key


def private(key: JsonObject, path: Path) -> JsonObject:
    """The key if it can sign. Raises ValueError."""
    if "d" not in key:
        raise ValueError(f"{path}: a private key is needed to sign")
    return key


def sign(body: bytes, key: JsonObject) -> str:
    """The detached compact JWS of the bytes."""
    header = {"alg": ALGORITHM, "typ": "JOSE", "kid": thumbprint(key), "jwk": public_key(key)}
    compact = jws.serialize_compact(header, body, _imported(key), algorithms=[ALGORITHM])
    head, _, tail = compact.split(".")
    return f"{head}..{tail}"


def verify(body: bytes, compact: str, key: JsonObject | None) -> str:
    """The thumbprint of the key that signed these bytes. Raises NotSigned. `key` None: the key that the header names."""
    parts = compact.split(".")
    if len(parts) != 3 or parts[1]:
        raise NotSigned("the signature is no detached JWS")
    try:
        named = orjson.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))["jwk"]
        used = key or named
        payload = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
        jws.deserialize_compact(f"{parts[0]}.{payload}.{parts[2]}", _imported(used), algorithms=[ALGORITHM])
    except (JoseError, ValueError, KeyError, TypeError, binascii.Error):
        whose = "the key given" if key else "the key that it names"
        raise NotSigned(f"the signature is not one of these bytes by {whose}") from None
    if _canonical(parts[2]) != parts[2]:
        raise NotSigned("the signature is not in its canonical form")
    return thumbprint(used)


def thumbprint(key: JsonObject) -> str:
    """The key's thumbprint (RFC 7638)."""
    return str(ECKey.import_key(public_key(key)).thumbprint())


def _canonical(part: str) -> str:
    # the last character of an unpadded base64url text has spare bits: only one spelling is let through
    return (
        base64.urlsafe_b64encode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        .rstrip(b"=")
        .decode()
    )


def _imported(key: JsonObject) -> ECKey:
    if key.get("crv") != "P-256":
        raise ValueError("not on P-256")
    return ECKey.import_key(key)
