"""Puts a Bundle's resources where the generated reader looks for them, whatever the order of the entries."""

import re
from functools import lru_cache
from typing import Any

from gateway.model import JsonObject
from gateway.translation.reading import Layout, Misplaced


@lru_cache(maxsize=4096)
def indexes(source_path: str) -> tuple[int, ...]:
    """The list indexes in a path such as `patient[1].detail.age`."""
    return tuple(map(int, re.findall(r"\[([0-9]{1,9})\]", source_path)))


def slots(bundle: JsonObject, layout: Layout, extension: str) -> list[Any]:
    """The resources by kind and index. `extension` is the URL of source-path. Raises Misplaced."""
    root: list[Any] = [None] * layout.size
    places = layout.places
    root[0] = bundle
    for at, entry in enumerate(bundle["entry"]):
        resource = entry["resource"]
        chain, place = places[resource["meta"]["profile"][0]]
        here = root
        if chain:
            told = resource["extension"][0]
            if told["url"] != extension:  # another server's order
                told = next(x for x in resource["extension"] if x["url"] == extension)
            for (position, size), index in zip(chain, indexes(told["valueString"]), strict=True):
                group = here[position]
                if group is None:
                    group = here[position] = {}
                here = group.get(index)
                if here is None:
                    here = group[index] = [None] * size
        if here[place] is not None:
            raise Misplaced(f"entry[{at}]")
        here[place] = resource
    return root
