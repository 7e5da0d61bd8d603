"""What an honest FHIR server adds to a Bundle, or writes in another way, without a change of the message.

Taken away before a Bundle is judged again: a server's own elements (`Bundle.id`, `link`, `signature`; `entry.search`; narrative,
`id`, extensions of other makers), and its way to spell URLs. What is left is judged by the profile: nothing that a table reads
is touched here, and a modifierExtension or implicitRules stays to be refused.
"""

import re
from collections.abc import Callable
from functools import reduce
from typing import Any

from gateway.model import JsonObject
from gateway.translation.plan import Element, Items, Kind, Plan, Slice, Value
from gateway.translation.rows import Fixed

OF_BUNDLE = frozenset({"id", "meta", "language", "link", "total", "signature"})
OF_ENTRY = frozenset({"id", "link", "search", "request", "response"})
OF_RESOURCE = frozenset({"id", "language"})
OF_META = frozenset({"id", "extension", "versionId", "lastUpdated", "source", "security", "tag"})
NARRATIVES = frozenset(
    {"generated", "extensions", "empty"}
)  # statuses of a text that only repeats the resource
OF_REFERENCE = frozenset({"type", "display"})
REFERENCE = frozenset({"reference", "identifier", "type", "display", "id", "extension"})
OF_CODING = frozenset({"version", "display", "userSelected"})
LONG_FRACTION = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6})[0-9]+(Z|[+-][0-9]{2}:[0-9]{2})"
)


def without_outer(bundle: JsonObject, plan: Plan) -> JsonObject:
    """The Bundle without what a server adds to the Bundle, to its entries and to resources as wholes; a new value.

    A Bundle that is none is handed on as far as it can be read: the judge names what is wrong.
    """
    kinds = {kind.profile: kind for kind in plan.kinds}
    kept = {name: value for name, value in bundle.items() if name not in OF_BUNDLE}
    kept["meta"] = _own_meta(bundle.get("meta"), _top(plan))
    entries = bundle.get("entry")
    if isinstance(entries, list):
        kept["entry"] = [_entry(entry, kinds) for entry in entries]
    return kept


def without_inner(bundle: JsonObject, plan: Plan, base: str) -> JsonObject:
    """What `without_outer` gives, without what a server adds inside resources, and with URLs as the profile spells them; a new
    value. `base` begins the URLs of own StructureDefinitions.
    """
    kinds = {kind.profile: kind for kind in plan.kinds}
    entries = bundle.get("entry")
    cleaner = _Cleaner(base, _urls(entries))
    kept = cleaner.element(bundle, _top(plan).element, frozenset({"entry", "meta"}))
    if isinstance(entries, list):
        kept["entry"] = [_inside(entry, kinds, cleaner) for entry in entries]
    return kept


def _top(plan: Plan) -> Kind:
    return next(kind for kind in plan.kinds if kind.type == "Bundle")


def _own_meta(meta: Any, top: Kind) -> JsonObject:
    """The profile may be missing, or stand among others; another of ours contradicts the MessageHeader and stays."""
    own = top.profile.rpartition("hub-message-")[0]
    told = meta.get("profile") if isinstance(meta, dict) else None
    named = [url for url in told if isinstance(url, str)] if isinstance(told, list) else []
    others = [url for url in named if url.startswith(own) and _bare(url) != top.profile]
    return {"profile": [top.profile, *others]}


def _bare(url: str) -> str:
    """A canonical URL without its version."""
    return url.partition("|")[0]


def _urls(entries: Any) -> dict[str, str]:
    """What references may say -> the URL that they mean: URNs in lower case; a server's own URLs (`https://…/Patient/1`, in
    references `Patient/1` too) become URNs, as the profile has them.
    """
    urls: dict[str, str] = {}
    for at, entry in enumerate(entries if isinstance(entries, list) else ()):
        url = entry.get("fullUrl") if isinstance(entry, dict) else None
        if not isinstance(url, str):
            continue
        if url.lower().startswith("urn:"):
            urls[url] = urls[url.lower()] = url.lower()
        elif url not in urls:
            urls[url] = urls["/".join(url.split("/")[-2:])] = f"urn:uuid:00000000-0000-8000-8000-{at:012x}"
    return urls


def _entry(entry: Any, kinds: dict[str, Kind]) -> Any:
    if not isinstance(entry, dict):
        return entry
    kept = {name: value for name, value in entry.items() if name not in OF_ENTRY}
    if isinstance(kept.get("resource"), dict):
        kept["resource"] = _resource(kept["resource"], kinds)
    return kept


def _resource(resource: JsonObject, kinds: dict[str, Kind]) -> JsonObject:
    meta = resource.get("meta")
    profiles = meta.get("profile") if isinstance(meta, dict) else None
    named = [url for url in profiles if isinstance(url, str)] if isinstance(profiles, list) else []
    ours = [_bare(url) for url in named if _bare(url) in kinds]
    if len(ours) != 1:
        return resource  # of no kind, or of several: the judge says so
    kind = kinds[ours[0]]
    text = resource.get("text")
    generated = isinstance(text, dict) and text.get("status") in NARRATIVES
    drop = OF_RESOURCE | {"text"} if generated else OF_RESOURCE
    kept = {
        name: value for name, value in resource.items() if name not in drop or name in kind.element.fields
    }
    own = {
        name: value for name, value in (meta or {}).items() if name in kind.meta.fields or name not in OF_META
    }
    kept["meta"] = own | {"profile": ours}
    return kept


def _inside(entry: Any, kinds: dict[str, Kind], cleaner: "_Cleaner") -> Any:
    if not isinstance(entry, dict):
        return entry
    kept = dict(entry)
    if "fullUrl" in kept:
        kept["fullUrl"] = cleaner.url(kept["fullUrl"])
    try:
        kind = kinds[entry["resource"]["meta"]["profile"][0]]
    except (KeyError, IndexError, TypeError):
        return kept
    kept["resource"] = cleaner.element(entry["resource"], kind.element, frozenset({"meta"}))
    return kept


class _Cleaner:
    """Goes along the elements of the profile; `urls` are what `_urls` found."""

    def __init__(self, base: str, urls: dict[str, str]) -> None:
        self._base = base
        self._urls = urls

    def url(self, text: Any) -> Any:
        """A URL or reference as the profile spells it."""
        if not isinstance(text, str):
            return text
        found = self._urls.get(text) or self._urls.get(text.lower())
        return found or (text.lower() if text.lower().startswith("urn:uuid:") else text)

    def element(
        self, value: JsonObject, known: Element | None, whole: frozenset[str] = frozenset()
    ) -> JsonObject:
        """The element without additions. `known` is None below what the profile does not know; `whole` is left as it is."""
        fields = known.fields if known is not None else {}
        kept: JsonObject = {}
        for name, inner in value.items():
            if name in whole or (name.startswith("_") and name[1:] in fields and name[1:] not in value):
                kept[name] = inner
            elif name == "extension" and isinstance(inner, list):
                urls = _fixed_urls(fields.get(name))
                left = [item for item in inner if not self._foreign(item, urls)]
                if left:
                    kept[name] = self._child(left, fields.get(name))
            elif name == "reference":
                kept[name] = self.url(inner)
            elif not self._added(name, inner, value, fields):
                kept[name] = self._child(inner, fields.get(name))
        return kept

    def _added(self, name: str, inner: Any, value: JsonObject, fields: dict[str, Any]) -> bool:
        if name in fields:
            return False
        if name == "id" and "resourceType" not in value:
            return True
        if name in OF_REFERENCE and _is_reference(value):
            return True
        if "system" in value and "code" in value and "value" not in value and name in OF_CODING:
            return True
        return name.startswith("_") and self._only_foreign(inner)

    def _only_foreign(self, sibling: Any) -> bool:
        """Whether the object beside a primitive has nothing but an id and extensions of others."""
        if not isinstance(sibling, dict) or not sibling.keys() <= {"id", "extension"}:
            return False
        told = sibling.get("extension", [])
        return isinstance(told, list) and all(self._foreign(item, frozenset()) for item in told)

    def _foreign(self, extension: Any, urls: frozenset[Any]) -> bool:
        """Whether an extension is neither ours nor one that the profile knows here."""
        url = extension.get("url") if isinstance(extension, dict) else None
        if not isinstance(url, str) or not url.startswith(("http://", "https://", "urn:")):
            return False  # a part of an extension, or malformed
        return not url.startswith(self._base) and url not in urls

    def _child(self, inner: Any, known: Any) -> Any:
        if isinstance(inner, dict):
            if isinstance(known, Fixed) and _means(inner, known.value):
                return known.value
            return self.element(inner, known if isinstance(known, Element) else None)
        if isinstance(inner, list):
            of = _of_items(known)
            return [self._child(item, of(item) if isinstance(item, dict) else None) for item in inner]
        if isinstance(inner, str) and (found := LONG_FRACTION.fullmatch(inner)):
            return found[1] + found[2]
        return inner


def _is_reference(value: JsonObject) -> bool:
    return ("reference" in value or "identifier" in value) and value.keys() <= REFERENCE


def _fixed_urls(known: Any) -> frozenset[Any]:
    return frozenset(_constant(part, "url") for part in _parts(known))


def _parts(known: Any) -> list[Slice]:
    return [*known.slices, *known.listed] if isinstance(known, Items) else []


def _constant(part: Slice, name: str) -> Any:
    content = part.content
    return getattr(content.fields.get(name), "value", None) if isinstance(content, Element) else None


def _means(coding: JsonObject, constant: Any) -> bool:
    """Whether a coding is the profile's constant, whatever its display."""
    if not isinstance(constant, dict):
        return False
    passed = OF_CODING | {"id"}
    said = {name: value for name, value in coding.items() if name not in passed}
    return bool(said) and said == {name: value for name, value in constant.items() if name not in passed}


def _of_items(known: Any) -> Callable[[JsonObject], Element | Fixed | None]:
    """What an item of a list may have: all that the slices have whose constants it has. Asked for every item of a hostile list
    too: the slices of extensions are looked up by their URL, and what several have together is put together once.
    """
    by_url: dict[Any, list[Element | Value]] = {}
    for part in _parts(known):
        by_url.setdefault(_constant(part, "url"), []).append(part.content)
    together: dict[tuple[int, ...], Element | Fixed | None] = {}

    def of(item: JsonObject) -> Element | Fixed | None:
        url = item.get("url")
        candidates = [*by_url.get(None, ()), *(by_url.get(url, ()) if isinstance(url, str) else ())]
        fitting = [content for content in candidates if _fits(item, content)]
        key = tuple(map(id, fitting))
        if key not in together:
            together[key] = _all_of(fitting)
        return together[key]

    return of


def _all_of(fitting: list[Element | Value]) -> Element | Fixed | None:
    if len(fitting) == 1 and isinstance(fitting[0], Element | Fixed):
        return fitting[0]
    elements = [content for content in fitting if isinstance(content, Element)]
    return reduce(_together, elements) if elements else None


def _together(one: Element, other: Element) -> Element:
    """What either of two elements may have."""
    fields = dict(one.fields)
    for name, child in other.fields.items():
        mine = fields.get(name, child)
        if isinstance(mine, Element) and isinstance(child, Element):
            fields[name] = _together(mine, child)
        elif isinstance(mine, Items) and isinstance(child, Items):
            fields[name] = Items([*mine.slices, *child.slices], [*mine.listed, *child.listed])
        else:
            fields[name] = mine
    return Element(fields)


def _fits(item: JsonObject, content: Element | Value) -> bool:
    """Whether an item has no constant other than the slice's."""
    if isinstance(content, Fixed):
        return _means(item, content.value)
    if not isinstance(content, Element):
        return False
    for name, child in content.fields.items():
        fixed = child.value if isinstance(child, Fixed) else None
        if isinstance(fixed, str) and not fixed.startswith("@") and item.get(name, fixed) != fixed:
            return False
    return True
