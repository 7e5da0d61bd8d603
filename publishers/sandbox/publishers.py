"""The demo publishers and every key of a sandbox, generated afresh and written where the gateway and the core read them.

DIR/registry/*.toml         one registration a publisher, read by the gateway as any other
DIR/keys/signing.json       the gateway's private JWK Set for its access tokens
DIR/keys/gateway.json       the gateway's private JWK as a client of the core; gateway-jwks.json: its public part
DIR/keys/webhooks.json      the private JWK Set that signs its webhooks
DIR/keys/core.json          the core's private JWK as a client of the gateway; core-jwks.json: its public part
DIR/sandbox.json            where everything is, with the publishers' credentials
"""

import hashlib
import json
import secrets
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.registry.fields import MESSAGE_TYPES
from publishers.sandbox.assertion import new_key, new_webhook_key, public_jwks
from publishers.sandbox.scenarios import SCENARIOS

JsonObject = dict[str, Any]
CORE_CLIENT = "national-core"
GATEWAY_CLIENT = "regulation-gateway"
SCOPES = ["message.send", "message.read", "inbox.read"]
LIMITS = {
    "per_second": 1_000,
    "per_minute": 60_000,
    "per_day": 10_000_000,
    "in_flight": 1_000,
    "bytes_per_minute": 10_000_000_000,
}


@dataclass(frozen=True, slots=True)
class DemoPublisher:
    """One demo publisher with its credentials. Ids are exact or patterns with `*`."""

    id: str
    name: str
    client_id: str
    client_secret: str
    private_key_jwk: JsonObject
    sender_ids: tuple[str, ...]
    inbox_ids: tuple[str, ...]
    model_version: str
    format: str
    webhook: str = ""  # the URL that is told of new inbox items


@dataclass(frozen=True, slots=True)
class Keys:
    """The private JWKs of a sandbox's servers. Of the gateway's signing keys the first signs."""

    signing: tuple[JsonObject, ...]
    gateway: JsonObject
    core: JsonObject
    webhooks: JsonObject


def generate_publishers() -> tuple[DemoPublisher, ...]:
    """Regulation software, SMUR software and the fire side, each with fresh credentials."""
    everyone = "fr.health.samu*"
    return (
        demo(
            "demo-lrm",
            "Demo regulation software",
            ("fr.health.samu440", everyone, "fr.health.ptfsas"),
            ("fr.health.samu440", "*"),  # its own id first, then every id that is not the others'
            "json",
        ),
        demo(
            "demo-smur", "Demo SMUR software", ("fr.health.samu750", everyone), ("fr.health.samu750",), "xml"
        ),
        demo("demo-fire", "Demo fire software", ("fr.fire.nexsis.sdisZ",), ("fr.fire.nexsis.sdisZ",), "xml"),
    )


def generate_peers() -> tuple[DemoPublisher, ...]:
    """The software at the other end of the scenarios, one for each model version, each with fresh credentials."""
    return tuple(
        demo(
            f"sandbox-peer-{version}",
            f"Peer of the sandbox's scenarios, {version}",
            ids := tuple(one.recipient for one in SCENARIOS if one.recipient and one.version == version),
            ids,
            "json",
            version,
        )
        for version in ("v3", "v2", "v1")
    )


def demo(
    name: str,
    title: str,
    senders: tuple[str, ...],
    inboxes: tuple[str, ...],
    kind: str,
    version: str = "v3",
) -> DemoPublisher:
    """A publisher with a 256-bit secret and an EC P-256 key."""
    return DemoPublisher(
        name, title, f"{name}-client", secrets.token_urlsafe(32), new_key(), senders, inboxes, version, kind
    )


def generate_keys() -> Keys:
    """Fresh keys."""
    return Keys((new_key(),), new_key(), new_key(), new_webhook_key())


def registration(
    publisher: DemoPublisher,
    keys: list[JsonObject] | None = None,
    limits: dict[str, int] = LIMITS,
    scopes: list[str] = SCOPES,
) -> str:
    """The publisher's registration in TOML, without its secret. `keys`: its public JWKs, its own key's if not given."""
    facts = {
        "id": publisher.id,
        "name": publisher.name,
        "client_id": publisher.client_id,
        "sends_for": list(publisher.sender_ids),
        "inbox_for": list(publisher.inbox_ids),
        "scopes": scopes,
        "model_version": publisher.model_version,
        "format": publisher.format,
        "message_types": sorted(
            MESSAGE_TYPES
        ),  # named one by one, so that GEO-* pass between health and the others too
    }
    if publisher.client_secret:
        facts["secret_sha256"] = hashlib.sha256(publisher.client_secret.encode()).hexdigest()
    lines = _toml(facts)
    lines += ["", "[limits]", *(f"{name} = {value}" for name, value in limits.items())]
    if publisher.webhook:
        lines += ["", "[webhook]", *_toml({"url": publisher.webhook})]
    for jwk in public_jwks(publisher.private_key_jwk)["keys"] if keys is None else keys:
        lines += ["", "[[jwks.keys]]", *_toml(jwk)]
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)
    return text


def _toml(facts: JsonObject) -> list[str]:
    # JSON's strings and arrays of strings are TOML's as well, but for the pairs by which JSON escapes rare characters
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()]


def write(data: Path, publishers: tuple[DemoPublisher, ...], keys: Keys) -> None:
    """Write registrations and keys below `data`; files with secrets are readable by their owner alone."""
    (data / "registry").mkdir(parents=True)
    (data / "keys").mkdir(mode=0o700)
    for publisher in publishers:
        (data / "registry" / f"{publisher.id}.toml").write_text(registration(publisher))
    documents = {
        "signing": {"keys": [*keys.signing]},
        "gateway": keys.gateway,
        "gateway-jwks": public_jwks(keys.gateway),
        "core": keys.core,
        "core-jwks": public_jwks(keys.core),
        "webhooks": {"keys": [keys.webhooks]},
    }
    for name, document in documents.items():
        write_private(data / "keys" / f"{name}.json", document)


def write_private(path: Path, document: JsonObject) -> None:
    """Write a JSON document for its owner's eyes, whole or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(document, indent=2) + "\n")
    unfinished.replace(path)


def describe(gateway: str, core: str, publishers: tuple[DemoPublisher, ...], operations: str) -> JsonObject:
    """What `DIR/sandbox.json` holds of the servers and the publishers."""
    told = [
        {name: value for name, value in asdict(publisher).items() if name not in ("name", "webhook")}
        for publisher in publishers
    ]
    return {"gateway": gateway, "core": core, "operations": operations, "publishers": told}
