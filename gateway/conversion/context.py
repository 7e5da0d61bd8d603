"""What was said of a case before, folded into what one actor knows of it now. Pure; everything in model v3.

The messages are those of one viewer, an inbox id of one publisher: what it sent and what it was delivered. Nothing else of the
case ever gets in, whoever shares its id.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from gateway.conversion.sides import instant
from gateway.edxl import facts
from gateway.model import JsonObject, Message
from schemas.fields import table

CLOCKS = 300.0  # seconds by which the clocks of two ends may differ
UPDATE = "RS-EDA-MAJ"
CASE = "RS-EDA"  # the type whose parts an update says
Key = Callable[[JsonObject], Hashable]
KEYED: dict[str, Key] = {  # lists of an update whose items are those of one id
    "patient": lambda one: one.get("patientId"),
    "medicalNote": lambda one: one.get("medicalNoteId"),
    "decision": lambda one: (one.get("creation"), _text(one.get("operator")), one.get("patientId")),
}


@dataclass(frozen=True, slots=True)
class Context:
    """What a conversion may know of the case besides the message. Newest first, valid, in v3.

    `seen`: what the recipient sent and was delivered; what is given back to it comes from here. `stated`: what the sender of an
    RS-EDA-MAJ itself sent of the case; messages of others among them do not count.
    """

    seen: Sequence[Message] = ()
    stated: Sequence[Message] = ()

    def of(self, message: Message) -> "Context":
        """The part about a message's case; an exercise says nothing of an actual one, nor the other way."""
        return Context(_about(self.seen, message), _about(self.stated, message))


NOTHING = Context()


def _about(messages: Sequence[Message], message: Message) -> tuple[Message, ...]:
    case, status = message.body.get("caseId"), message.envelope.distribution_status
    return tuple(
        one
        for one in messages
        if one.body.get("caseId") == case and one.envelope.distribution_status == status
    )


def known_case(seen: Sequence[Message], message_type: str, viewer: str = "") -> JsonObject | None:
    """A viewer's own view of a case in its own type: the last whole case, whoever said it, with the updates after it. What the
    viewer itself stated of patients, notes and decisions is in it: another's case takes none of them away.

    None where it was never said as a whole.
    """
    view: JsonObject | None = None
    own: JsonObject = {}
    for one in reversed(seen):
        if one.message_type == message_type:
            view = one.body
            if one.envelope.sender_id == viewer:
                own = one.body
            elif message_type == CASE:
                view = {**view, **_all_of(own, view)}
        elif view is not None and (one.message_type, message_type) == (UPDATE, CASE):
            view = updated(view, one.body)
    return view


def _all_of(own: JsonObject, case: JsonObject) -> JsonObject:
    """Patients, notes and decisions of both."""
    return {name: _joined(own[name], case.get(name, []), key) for name, key in KEYED.items() if own.get(name)}


def stated_case(stated: Sequence[Message], sender: str) -> JsonObject | None:
    """The case (RS-EDA) as one sender itself stated it, with its own updates; None where it never stated the whole."""
    return known_case([one for one in stated if one.envelope.sender_id == sender], CASE)


def updated(case: JsonObject, update: JsonObject) -> JsonObject:
    """An RS-EDA with what an RS-EDA-MAJ says; neither is changed.

    What the update does not have stays. Patients, notes and decisions go by their ids and none of them is taken away; another
    list replaces the one there. What `left_out` names is not taken.
    """
    without, made = left_out(case, update), dict(case)
    for name, value in update.items():
        if name in KEYED:
            made |= {name: _joined(case.get(name, []), value, KEYED[name])} if value else {}
        elif name not in without:
            made[name] = _over(case.get(name), value)
    return made


def left_out(case: JsonObject, update: JsonObject) -> frozenset[str]:
    """Members of an RS-EDA-MAJ that an RS-EDA has no field for, and notes of an alert that the case does not have."""
    known = {field.name for field in table(CASE, "v3").root.fields}
    alone = {"initialAlert"} - case.keys()
    return frozenset(name for name in update if name not in known or name in alone)


def _over(before: Any, now: Any) -> Any:
    if not isinstance(before, dict) or not isinstance(now, dict):
        return now
    return {**before, **{name: _over(before.get(name), value) for name, value in now.items()}}


def _joined(before: Iterable[JsonObject], now: Iterable[JsonObject], key: Key) -> list[JsonObject]:
    """The items by their ids: one that is there already gets what the new one says."""
    made = list(before)
    places = {key(one): index for index, one in reversed([*enumerate(made)])}
    for item in now:
        index = places.setdefault(key(item), len(made))
        if index == len(made):
            made.append(item)
        else:
            made[index] = _over(made[index], item)
    return made


def _text(value: Any) -> str:
    return repr(sorted(value.items())) if isinstance(value, dict) else ""


def known_resources(seen: Sequence[Message], message_type: str) -> dict[str, list[JsonObject]]:
    """What each sender stated last of its resources (RS-RI or RC-RI), the newest message first, with the states since then."""
    found: dict[str, list[JsonObject]] = {}
    for one in seen:
        if one.message_type == message_type:
            found.setdefault(one.envelope.sender_id, one.body["resource"])
    complete = NewestStates(seen).put if message_type == "RC-RI" else _States(seen).put
    return {sender: [complete(one) for one in resources] for sender, resources in found.items()}


class _States:
    """What status messages (RS-SR) say of resources, for the list of states of an RS-RI."""

    def __init__(self, seen: Iterable[Message]) -> None:
        self._told: dict[str, list[JsonObject]] = {}
        for one in seen:
            if one.message_type == "RS-SR":
                self._told.setdefault(one.body["resourceId"], []).append(one.body["state"])

    def put(self, resource: JsonObject) -> JsonObject:
        """The resource with the states that were said of it besides its own, the newest message last."""
        states = list(resource.get("state", []))
        for state in reversed(self._told.get(resource["resourceId"], [])):
            states += [state] if state not in states else []
        return {**resource, "state": states} if states != resource.get("state", []) else resource


class NewestStates:
    """The newest state that anyone stated of each resource, in RC-RI and RS-SR, by the state's own date.

    A clock that is wrong must not hide what comes after: a state dated later than its own message was sent counts from then.
    """

    def __init__(self, seen: Iterable[Message]) -> None:
        self._newest: dict[str, tuple[float, JsonObject]] = {}
        for one in seen:
            sent = facts.instant(one.envelope.date_time_sent)
            latest = inf if sent is None else sent + CLOCKS
            if one.message_type == "RC-RI":
                for resource in one.body["resource"]:
                    if not is_given(resource):
                        self._take(resource["resourceId"], resource["state"], latest)
            elif one.message_type == "RS-SR":
                self._take(one.body["resourceId"], one.body["state"], latest)

    def _take(self, resource_id: str, state: JsonObject, latest: float) -> None:
        known, began = self._newest.get(resource_id), min(instant(state), latest)
        if known is None or began > known[0]:
            self._newest[resource_id] = began, state

    def put(self, resource: JsonObject) -> JsonObject:
        """The resource of an RC-RI with the newest state."""
        known = self._newest.get(resource["resourceId"])
        if known is None or not (is_given(resource) or known[0] > instant(resource["state"])):
            return resource
        return {**resource, "state": known[1]}

    def has_as_new(self, resource: JsonObject, state: JsonObject) -> bool:
        """Whether the newest state of an RC-RI's resource is newer than another, or the same. One that only the rule gave is
        older than any.
        """
        known = self.put(resource)
        if is_given(known):
            return False
        newest = known["state"]
        stated = self._newest.get(resource["resourceId"])
        began = stated[0] if stated is not None and stated[1] is newest else instant(newest)
        same = newest["status"] == state["status"] and instant(newest) == instant(state)
        return same or began > instant(state)


def is_given(resource: JsonObject) -> bool:
    """Whether the state may be the one that the rules give to a resource without one (`schemas/conversion/cisu.rules`)."""
    state = resource["state"]
    return bool(state["status"] == "DECLENCHE" and state["datetime"] == resource["datetime"])


def is_repeat(source: Message, made: Message, seen: Sequence[Message]) -> bool:
    """Whether the very last that the recipient knows is the same, from the same sender and of the same kind.

    Where the source says something that becomes a text, it is none: a text that was said before may be news again.
    """
    sender = made.envelope.sender_id
    # the statuses that go with a list of resources say nothing beside it
    others = (one for one in seen if (one.message_type, made.message_type) != ("RS-SR", "RS-RI"))
    last = next(others, None)
    return (
        last is not None
        and last.message_type == made.message_type
        and last.envelope.sender_id == sender
        and last.body == made.body
        and last.document.get("distributionKind") == made.document.get("distributionKind")
        and last.envelope.distribution_id != made.envelope.distribution_id
        and not _says_text(source)
    )


def _says_text(case: Message) -> bool:
    body = case.body
    alerts = [body.get("initialAlert", {}), *body.get("newAlert", ())]
    return case.message_type == "RC-EDA" and (
        "freetext" in body
        or "newAlert" in body
        or "victims" in body.get("qualification", {})
        or any("attachment" in one or "notes" in one for one in alerts)
    )
