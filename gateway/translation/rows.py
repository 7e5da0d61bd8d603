"""What a mapping table says, as values: resources with their rows. `notation` reads them from text."""

from dataclasses import dataclass, field

from gateway.translation.paths import Path, Steps

# the derived functions that the engine itself knows, and how many of their arguments are names, not paths:
# ref RESOURCE; map MAP PATH [OTHER] (where OTHER is there); find RESOURCE KEY PATH; find-or RESOURCE KEY OTHER PATH (OTHER where PATH is absent);
# if VALUE PATH... (the value where one of the paths is there); unless VALUE PATH... (where none is); always VALUE;
# map-newest MAP LIST (of the status of the newest of a vehicle's states)
NAMES_OF = {"ref": 1, "map": 1, "map-newest": 1, "find": 2, "find-or": 3, "if": 1, "unless": 1, "always": 1}
MAPPING = frozenset({"map", "map-newest"})
VALUES = frozenset({"if", "unless", "always"})  # whose name is the value itself
KIND: Path = ("distributionKind",)
WITHDRAWN = "Cancel"  # the kind of a message that withdraws what it says


@dataclass(frozen=True, slots=True)
class Row:
    """One two-way row: a leaf of the message and the element that holds it."""

    place: str  # file:line
    leaf: Path
    element: Steps
    codec: str = ""
    required: bool = False
    unless: Path | None = None
    otherwise: str | None = None  # written where the message is silent, read as silence
    only: "tuple[str, tuple[Path, ...]] | None" = (
        None  # the leaf is said here if the codec holds it and the test (function or "", leaves) is true
    )
    home: int = 0  # which of the leaf's homes, in the order of the table
    borrowed: int = (
        0  # 1 = from the table that this one is like, 2 = from the one that that is like, and so on
    )

    @property
    def key(self) -> Path:
        """The leaf's path; a further home of the same leaf has a path of its own below it."""
        return (*self.leaf, f"#{self.home}") if self.home or self.only else self.leaf


@dataclass(frozen=True, slots=True)
class Fixed:
    """A constant element."""

    place: str
    element: Steps
    value: object
    always: bool = False  # there even where nothing else in its element is
    borrowed: int = 0


@dataclass(frozen=True, slots=True)
class Derived:
    """An element computed from leaves (`paths`) or other resources (`names`)."""

    place: str
    element: Steps
    function: str
    names: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    borrowed: int = 0
    withdrawn: str = ""  # what stands instead where the message withdraws what it says
    was: str = ""  # what Bundles of before say, and is accepted still

    @property
    def leaves(self) -> tuple[Path, ...]:
        """The leaves that say it; NOTHING among them for those that the version lacks."""
        return (*self.paths, KIND) if self.withdrawn else self.paths


@dataclass(frozen=True, slots=True)
class Listing:
    """An item that this resource adds to a list of another resource: element path below the item -> value."""

    place: str
    target: str
    element: Steps
    items: tuple[tuple[Steps, object], ...]


@dataclass(slots=True)
class Resource:
    """One kind of resource, with all its rows from every table that names it."""

    name: str
    type: str
    anchor: Path = ()
    when: tuple[Path, ...] = ()  # it is there if one of them is; () = always
    values: list[Row | Fixed | Derived] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    borrowed: int = 0

    @property
    def rows(self) -> list[Row]:
        """The two-way rows."""
        return [value for value in self.values if isinstance(value, Row)]


@dataclass(slots=True)
class Table:
    """A table with everything that it includes. Paths are absolute in the document."""

    file: str
    names: dict[str, str]
    maps: dict[str, dict[str, str]] = field(default_factory=dict)
    blocks: dict[str, tuple[list[str], list[tuple[str, str]]]] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    renamed: list[tuple[int, Path, Path]] = field(default_factory=list)  # how far borrowed, old, new
