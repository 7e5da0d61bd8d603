"""Facts that the other side has no field for and that its people need, as plain French sentences. Pure.

Only people read them: no conversion ever reads a text back as data. Nothing medical is among them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.conversion import french
from gateway.conversion.places import ABSENT, at, leaves, put
from gateway.conversion.sides import About, digest
from gateway.model import JsonObject
from gateway.validation.place import Place

CUSTOM_MAP: Place = ("additionalInformation", "customMap")
CUSTOM_MAP_SIZE = 3  # items that the schema allows
GATEWAY = {"label": "Passerelle", "role": "AUTRE"}  # a note of the gateway is nobody's observation


@dataclass(frozen=True, slots=True)
class Written:
    """A leaf of the source that is part of a text of the result."""

    source: Place
    target: Place


def write_for_crews(source: JsonObject, made: JsonObject) -> list[Written]:
    """Adds to an RC-EDA what the crews need of an RS-EDA: the place on a motorway, as a line of the location's text."""
    place: Place = ("location", "detailedAddress", "highway")
    highway = at(source, place)
    if not isinstance(highway, dict) or not any(highway.values()):
        return []
    words = {"name": "Autoroute {}", "pk": "PK {}", "direction": "sens {}"}
    parts = [text.format(highway[name]) for name, text in words.items() if highway.get(name)]
    return _add_line(made, ", ".join(parts), [(*place, name) for name in highway if highway[name]])


def write_for_health(source: JsonObject, made: JsonObject, about: About) -> list[Written]:
    """Adds to an RS-EDA what the SAMU needs of an RC-EDA: the location's details, the texts of the case and of its alerts, and
    the victims.
    """
    written = [*_location(source, made)]
    for text, sources in _alert_texts(source):
        written += _add_alert_note(made, text, sources, about)
    text, sources = _victims(source)
    if text.strip():
        written += _add_medical_note(made, text, sources, about)
    written += _add_keys(source, made)
    return written


def _location(source: JsonObject, made: JsonObject) -> Iterator[Written]:
    location = source["location"]
    detail = at(location, ("city", "detail"))
    if isinstance(detail, str) and detail.strip():
        yield from _add_line(made, f"Détails de commune : {detail}", [("location", "city", "detail")])
    label = location.get("locLabel")
    if label and label.strip() and "detailedAddress" not in location:
        yield from _add_line(made, f"Localisation : {label}", [("location", "locLabel")])
    country = location.get("country")
    if country not in {None, "FR"}:
        yield from _add_line(made, f"Pays : {country}", [("location", "country")])


def _alert_texts(source: JsonObject) -> Iterator[tuple[str, list[Place]]]:
    """Each text with the places that it says: the case's own texts, then what belongs to its alerts."""
    for index, text in enumerate(source.get("freetext", ())):
        yield text, [("freetext", index)]
    alerts: list[tuple[Place, JsonObject]] = [
        (("newAlert", index), alert) for index, alert in enumerate(source.get("newAlert", ()))
    ]
    for place, alert in alerts:
        said = {"reception", "caller", "notes"}
        yield _new_alert(alert), [(*place, *below) for below, _ in leaves(alert) if below[0] in said]
    if "initialAlert" in source:
        alerts.insert(0, (("initialAlert",), source["initialAlert"]))
    for place, alert in alerts:
        for index, attachment in enumerate(alert.get("attachment", ())):
            names = [name for name in ("description", "URI") if attachment.get(name)]
            text = "Pièce jointe : " + " ".join(attachment[name] for name in names)
            yield text, [(*place, "attachment", index, name) for name in names]
        agent = alert["callTaker"]
        if agent.keys() - {"organization", "controlRoom"}:
            yield _call_taker(agent), [(*place, "callTaker", *below) for below, _ in leaves(agent)]


def _new_alert(alert: JsonObject) -> str:
    """Another call about the same case: when, who called, and what was noted."""
    caller = alert["caller"]
    name = at(caller, ("detailedName", "complete"))
    who = [name] if isinstance(name, str) else []
    who += [caller[one]["detail"] for one in ("callerContact", "callbackContact") if one in caller]
    lines = [
        f"Nouvelle alerte reçue le {french.moment(alert['reception'])}, appelant : {', '.join(dict.fromkeys(who))}"
    ]
    lines += [caller["freetext"]] if caller.get("freetext") else []
    lines += [note["freetext"] for note in alert.get("notes", ()) if note.get("freetext")]
    return "\n".join(lines)


def _call_taker(agent: JsonObject) -> str:
    words = [agent["organization"], agent["controlRoom"], agent.get("role"), agent.get("calltakerId")]
    contact = agent.get("calltakerContact")
    words += [contact["detail"]] if contact else []
    return "Opérateur de l'alerte : " + ", ".join(word for word in words if word)


def _victims(source: JsonObject) -> tuple[str, list[Place]]:
    victims = at(source, ("qualification", "victims"))
    if not isinstance(victims, dict):
        return "", []
    words = {
        "count": "Nombre de patients-victimes : {}",
        "mainVictim": "Type du patient-victime principal : {}",
        "freetext": "{}",
    }
    names = [name for name in words if victims.get(name)]
    text = "\n".join(words[name].format(victims[name]) for name in names)
    return text, [("qualification", "victims", name) for name in names]


def _add_line(made: JsonObject, text: str, sources: list[Place]) -> list[Written]:
    """A further line of the location's text, unless it is there already."""
    target: Place = ("location", "freetext")
    before = at(made, target)
    if not isinstance(before, str) or f"\n{text}\n" not in f"\n{before}\n":
        put(made, target, f"{before}\n{text}" if isinstance(before, str) and before else text)
    return [Written(source, target) for source in sources]


def _add_alert_note(made: JsonObject, text: str, sources: list[Place], about: About) -> list[Written]:
    """A further note of the initial alert; a medical note where the case has no alert: text goes nowhere else."""
    if not text.strip():
        return []
    if "initialAlert" not in made:
        return _add_medical_note(made, text, sources, about)
    return _append(made, ("initialAlert", "notes"), {"freetext": text}, sources)


def _add_medical_note(made: JsonObject, text: str, sources: list[Place], about: About) -> list[Written]:
    # its id depends on the case and the text alone, so that the same fact never piles up
    identifier = f"fr.health.hub.medicalNote.{digest([about.case_id, text])}"
    note = {"medicalNoteId": identifier, "operator": GATEWAY, "freetext": text}
    return _append(made, ("medicalNote",), note, sources)


def _append(made: JsonObject, place: Place, item: Any, sources: list[Place]) -> list[Written]:
    items = at(made, place)
    target = (*place, len(items) if isinstance(items, list) else 0)
    put(made, target, item)
    return [Written(source, target) for source in sources]


def _add_keys(source: JsonObject, made: JsonObject) -> Iterator[Written]:
    """The victims by the keys that regulation software reads from the Hub Santé's own converter, as far as there is space."""
    labels = {"count": "Nombre de patients-victimes", "mainVictim": "Type du patient-victime principal"}
    for name, label in labels.items():
        place: Place = ("qualification", "victims", name)
        value, items = at(source, place), at(made, CUSTOM_MAP)
        item = {"key": ".".join(map(str, place)), "value": value, "label": label}
        if value is not ABSENT and (items is ABSENT or (len(items) < CUSTOM_MAP_SIZE and item not in items)):
            yield from _append(made, CUSTOM_MAP, item, [place])
