"""Ids of senders and recipients, patterns of them, and whose they are."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from gateway.hub import HEALTH_DOMAIN, is_health

Owner = TypeVar("Owner")
ACTOR_ID = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2,}")  # {country}.{domain}.{organisation}[.…]
PATTERN = re.compile(r"[A-Za-z0-9_.-]*\*[A-Za-z0-9_.-]*")
MAX_ACTOR_ID = 255  # characters
CACHED = 4_096  # answers kept


def is_actor_id(text: str) -> bool:
    """Whether this looks like an id of the Hub Santé: three segments or more, joined by dots."""
    return len(text) <= MAX_ACTOR_ID and ACTOR_ID.fullmatch(text) is not None


def is_pattern(text: str) -> bool:
    """Whether this is a pattern: an id's characters, and one `*` for any characters, none and dots included."""
    return len(text) <= MAX_ACTOR_ID and PATTERN.fullmatch(text) is not None


def may_be_health(claim: str) -> bool:
    """Whether an id is a health actor's, or a pattern may match one."""
    start, star, _ = claim.partition("*")
    below = f"{HEALTH_DOMAIN}."
    return (start.startswith(below) or below.startswith(start)) if star else is_health(claim)


class Ids(Generic[Owner]):
    """Ids and patterns with their owners. Immutable; safe for threads."""

    def __init__(self, claims: Iterable[tuple[str, Owner]]) -> None:
        by_length = sorted(claims, key=lambda claim: (-len(claim[0]), claim[0]))
        self._exact = {text: owner for text, owner in by_length if "*" not in text}
        self._patterns = [(_Pattern(*text.split("*")), owner) for text, owner in by_length if "*" in text]
        self._cached = lru_cache(CACHED)(self._find)

    def owner(self, actor_id: str) -> Owner | None:
        """Whose this id is; None where it is nobody's, or no id at all.

        An exact id beats every pattern, a longer pattern a shorter one; of two of one length the alphabet decides.
        """
        return self._cached(actor_id) if len(actor_id) <= MAX_ACTOR_ID else None

    def _find(self, actor_id: str) -> Owner | None:
        if not is_actor_id(actor_id):
            return None
        exact = self._exact.get(actor_id)
        if exact is not None:
            return exact
        return next((owner for pattern, owner in self._patterns if pattern.matches(actor_id)), None)


class _Pattern(NamedTuple):
    start: str
    end: str

    def matches(self, actor_id: str) -> bool:
        return (
            len(actor_id) >= len(self.start) + len(self.end)
            and actor_id.startswith(self.start)
            and actor_id.endswith(self.end)
        )
