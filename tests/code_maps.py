"""The code maps of all tables as they stand: `python -m tests.code_maps` writes tests/cases/code-maps.json anew.

Whether P0 becomes `EM` is a clinical fact that no round trip shows: the file pins each pair, for people to review.
"""

from collections.abc import Callable
from pathlib import Path

import orjson

import schemas
from gateway.translation.notation import parse
from gateway.translation.tables import translator

PINNED = Path(__file__).parent / "cases" / "code-maps.json"


def code_maps(
    message_type: str, version: str, load: Callable[[str], str] | None = None
) -> dict[str, dict[str, str]]:
    """The maps that a type's table holds, by name; `load` as in `compile_table`."""
    made = translator(message_type, version)
    assert made is not None
    read = load or (lambda name: (schemas.ROOT / name).read_text(encoding="utf-8"))
    # the notation gives `sd`, `cs`, `id` and the like to every table; what it defines itself is read again
    names = {name: url for name, url in made.names.items() if name in FIXED}
    return {
        name: dict(pairs)
        for name, pairs in parse(f"{message_type}/{version}.mapping", read, names).maps.items()
    }


FIXED = ("TYPE", "DEFINITION", "sd", "cs", "id", "base")


def all_maps() -> dict[str, dict[str, str]]:
    """Every map of every table. A name stands for one map everywhere."""
    found: dict[str, dict[str, str]] = {}
    for version in schemas.VERSIONS:
        for message_type in schemas.message_types(version):
            for name, pairs in code_maps(message_type, version).items():
                assert found.setdefault(name, pairs) == pairs, f"{message_type} {version}: another map {name}"
    return found


if __name__ == "__main__":
    PINNED.write_bytes(
        orjson.dumps(
            all_maps(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        )
    )
