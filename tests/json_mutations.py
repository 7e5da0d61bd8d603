"""What senders get wrong in a use case in JSON: one named kind of mistake at a time, made along the field table."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from schemas.fields import OBJECTS, Field
from tests.strategies import ODD_TEXTS, copied

Place = tuple[
    Any, Any, Field | None
]  # the object or list, the key in it, what the table says of the value there

EMPTY: tuple[Any, ...] = ("", [], {})
OTHER_TYPES: tuple[Any, ...] = (0, 1.5, True, "12", "text", [None], ["text"], {"a": 1}, [[]], 3.0, 1e20)
INSTANTS = (
    "2026-01-31T10:04:34Z",
    "2026-01-31T10:04:34",
    "2026-01-31T10:04:34.5+01:00",
    "2026-01-31t10:04:34+01:00",
    "2026-13-31T10:04:34+01:00",
    "2026-02-30T10:04:34+01:00",
    "2026-01-31T24:00:00+01:00",
    "2026-01-31T10:04:60+01:00",
    "2026-01-31T23:59:60+00:00",
    "0000-01-31T10:04:34+01:00",
    "2026-01-31T10:04:34+24:00",
    "2026-01-31T10:04:34+15:00",
    "2026-01-31T10:04:34+01:00\n",
    "2026-01-31",
    "٢026-01-31T10:04:34+01:00",
)


def mutated(body: Any, root: Field, rng: random.Random) -> tuple[Any, str]:
    """A copy of a body with one mistake of one kind; the kind, one of MUTATIONS."""
    whole = {"": copied(body)}
    places = list(_places(whole[""], root))
    kinds = list(MUTATIONS)
    rng.shuffle(kinds)
    for kind in kinds:
        fits = FITTING.get(kind)
        fitting = [place for place in places if fits is None or fits(place)]
        if fitting:
            MUTATIONS[kind](*rng.choice(fitting), rng)
            return whole[""], kind
    return whole[""], "none"


def kinds_of(root: Field) -> set[str]:
    """The kinds of mistake that a table leaves room for."""
    fields = list(_fields(root))
    rooms = {
        "bad code": any(field.values for field in fields),
        "bad pattern": any(field.pattern or field.type in ("datetime", "rfc3339") for field in fields),
        "too many": any(field.repeats for field in fields),
    }
    return {kind for kind in MUTATIONS if rooms.get(kind, True)}


def _fields(field: Field) -> Iterator[Field]:
    for member in field.fields:
        yield member
        yield from _fields(member)


def _places(value: Any, field: Field | None) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, inner in value.items():
            member = field.child(key) if field else None
            yield value, key, member
            yield from _places(inner, member)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield value, index, field
            yield from _places(inner, field)


def _missing(holder: Any, key: Any, _f: Any, _: random.Random) -> None:
    del holder[key]


def _extra(holder: Any, key: Any, _f: Any, rng: random.Random) -> None:
    target = holder[key] if isinstance(holder[key], dict) else holder
    if isinstance(target, dict):
        target[rng.choice(("extra", "label", "code", "patientId", "freetext", ""))] = rng.choice(
            ("x", 1, None, {})
        )
    else:
        target.append(rng.choice(("x", 1, {})))


def _renamed(holder: Any, key: Any, _f: Any, rng: random.Random) -> None:
    holder[rng.choice((key.upper(), key + "s", key[:-1], key + " ", "reference"))] = holder.pop(key)


def _type(holder: Any, key: Any, _f: Any, rng: random.Random) -> None:
    holder[key] = rng.choice((*OTHER_TYPES, [holder[key]], str(holder[key])))


def _code(holder: Any, key: Any, field: Field | None, rng: random.Random) -> None:
    assert field is not None
    one = rng.choice(field.values)
    holder[key] = rng.choice(("X99", one.lower(), one + "x", f" {one}", f"{one} ", one[:-1], one))


def _pattern(holder: Any, key: Any, field: Field | None, rng: random.Random) -> None:
    assert field is not None
    if field.pattern is None:
        holder[key] = rng.choice(INSTANTS)
        return
    one = field.pattern.example
    digits = one.translate({ord("0"): "٠", ord("1"): "١"})
    odd = (one + "x", one[:-1], one * 2, f" {one}", one + "\n", one.lower(), one + "é", digits, one + ".")
    holder[key] = rng.choice((*odd, *ODD_TEXTS))


def _empty(holder: Any, key: Any, _f: Any, rng: random.Random) -> None:
    holder[key] = rng.choice(EMPTY)


def _null(holder: Any, key: Any, _f: Any, _: random.Random) -> None:
    holder[key] = None


def _many(holder: Any, key: Any, _f: Any, rng: random.Random) -> None:
    holder[key] = [copied(holder[key][0]) for _ in range(rng.randrange(2, 7))]


def _nested(holder: Any, key: Any, _f: Any, rng: random.Random) -> None:
    value = holder[key]
    if isinstance(value, dict) and value and rng.random() < 0.6:  # what is inside comes a level up
        inner = rng.choice(sorted(value))
        moved = value.pop(inner)
        if isinstance(holder, dict):
            holder[inner] = moved
        else:
            holder.append(moved)
    else:  # or goes a level down
        holder[key] = {key if isinstance(key, str) else "item": value}


MUTATIONS: dict[str, Callable[[Any, Any, Field | None, random.Random], None]] = {
    "missing": _missing,
    "extra": _extra,
    "renamed": _renamed,
    "wrong type": _type,
    "bad code": _code,
    "bad pattern": _pattern,
    "empty": _empty,
    "null": _null,
    "too many": _many,
    "nested wrong": _nested,
}


def _text(place: Place) -> bool:
    return isinstance(place[0][place[1]], str)


FITTING: dict[str, Callable[[Place], bool]] = {
    "renamed": lambda place: isinstance(place[0], dict),
    "bad code": lambda place: place[2] is not None and bool(place[2].values) and _text(place),
    "bad pattern": lambda place: (
        place[2] is not None
        and (place[2].pattern is not None or place[2].type in ("datetime", "rfc3339"))
        and _text(place)
    ),
    "too many": lambda place: isinstance(place[0][place[1]], list) and bool(place[0][place[1]]),
    "nested wrong": lambda place: place[2] is None or place[2].type in OBJECTS or isinstance(place[0], dict),
}
