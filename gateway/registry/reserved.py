"""What no registration may claim: the gateway's own names, and the id that signs its own messages."""

from collections.abc import Iterator

from gateway.hub import HUB_ID

OWN_ID = "gateway"  # the publisher id under which the store keeps the gateway's own messages (`gateway.undeliverable.OWN`)
EMPTY_SECRET = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # noqa: S105 - SHA-256 of no byte


def sender_problem(text: str) -> str:
    """Why no publisher may send for this id or pattern, "" where it may.

    A pattern must begin with a country (`fr.`): `*` alone would let its owner send in everybody's name.
    """
    if text == HUB_ID:
        return f"{text!r} is the Hub's own id; the gateway alone sends for it"
    if "*" in text and "." not in text.partition("*")[0]:
        return f"{text!r} covers everybody's ids; write the beginning of your own before the *, like fr.health.samu*"
    return ""


def claim_problems(key: str, values: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The values of a registration's key that are reserved, each with the reason."""
    for value in values:
        if key == "id" and value == OWN_ID:
            yield value, f"{value!r} is the gateway's own name in its store; choose another"
        if key == "secret_sha256" and value == EMPTY_SECRET:
            yield value, "is the SHA-256 of an empty secret; generate a secret of 256 random bits"
        if key == "inbox_for" and value == HUB_ID:
            yield value, f"{value!r} is the Hub's own id; nobody else receives for it"
        if key == "sends_for" and (problem := sender_problem(value)):
            yield value, problem
