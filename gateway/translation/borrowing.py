"""What a table keeps of the rows that it borrows from another version's table (`like`)."""

from dataclasses import replace

from gateway.translation.paths import NOTHING, Path, Steps, leaf_of
from gateway.translation.rows import MAPPING, VALUES, Derived, Fixed, Resource, Row, Table
from gateway.translation.shape import Shape


def leave_out(table: Table, shape: Shape) -> None:
    """Takes out of a table what it borrowed and its version does not have, or what it says itself."""
    nearest: dict[Path, int] = {}
    for resource in table.resources.values():
        for row in resource.rows:
            nearest[row.leaf] = min(row.borrowed, nearest.get(row.leaf, row.borrowed))
    for name, resource in list(table.resources.items()):
        if resource.borrowed and not _has_place(resource, shape):
            del table.resources[name]
    for resource in table.resources.values():
        gone = [v.element for v in resource.values if v.borrowed and _is_gone(v, table, shape, nearest)]
        kept = [v for v in resource.values if not (v.borrowed and _is_gone(v, table, shape, nearest))]
        spoken = [v.element for v in kept if not isinstance(v, Fixed)]
        resource.values = [
            _silenced(v, shape)
            for v in kept
            if not (v.borrowed and isinstance(v, Fixed) and _was_beside(v.element, gone, spoken))
        ]
        resource.listings = [
            listing
            for listing in resource.listings
            if not resource.borrowed or listing.target in table.resources
        ]


def _has_place(resource: Resource, shape: Shape) -> bool:
    """Whether the version has what the resource is made for; the parts of `when` that it lacks are taken out."""
    here = tuple(path for path in resource.when if shape.at(path) is not None)
    there = shape.at(resource.anchor) is not None and bool(here or not resource.when)
    resource.when = here
    return there


def _is_gone(value: Row | Fixed | Derived, table: Table, shape: Shape, nearest: dict[Path, int]) -> bool:
    if isinstance(value, Row):
        others = value.only[1] if value.only else ()
        return nearest[value.leaf] < value.borrowed or any(
            shape.at(path) is None for path in (value.leaf, *others)
        )
    if isinstance(value, Derived):
        named = () if value.function in MAPPING | VALUES else value.names[::2]
        silent = bool(value.paths) and not any(_known(path, shape) for path in value.paths)
        return silent or any(name not in table.resources for name in named)
    return False


def _known(path: Path, shape: Shape) -> bool:
    return shape.at(leaf_of(path)) is not None


def _silenced(value: Row | Fixed | Derived, shape: Shape) -> Row | Fixed | Derived:
    """A derived value with NOTHING for what its version lacks."""
    if not isinstance(value, Derived) or not value.borrowed:
        return value
    return replace(value, paths=tuple(path if _known(path, shape) else NOTHING for path in value.paths))


def _was_beside(element: Steps, gone: list[Steps], spoken: list[Steps]) -> bool:
    """Whether all that a constant stood beside is gone."""
    parent = element[:-1]
    beside = [steps for steps in gone if parent and steps[: len(parent)] == parent]
    return bool(beside) and not any(steps[: len(parent)] == parent for steps in spoken)


def renamed(path: Path, names: list[tuple[int, Path, Path]], borrowed: int) -> Path:
    """A borrowed path as this table's version has it: first what the table says that is next to its own."""
    for level in range(borrowed - 1, -1, -1):
        for of, old, new in names:
            if of == level and path[: len(old)] == old:
                path = new + path[len(old) :]
    return path
