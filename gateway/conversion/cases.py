"""A case (RS-EDA, RC-EDA) for the other side, with what its recipient knows of it. Pure."""

from typing import Any

from gateway.conversion.context import Context, known_case, left_out, stated_case, updated
from gateway.conversion.crossing import GIVEN, NO_PLACE, WITHHELD, Crossed, body_for, cross
from gateway.conversion.giving_back import GivenBack, Views, given_back
from gateway.conversion.moving import Loss
from gateway.conversion.places import ABSENT, at, leaves
from gateway.conversion.rules import rules
from gateway.conversion.sides import About, Side, side
from gateway.errors import Untranslatable
from gateway.model import JsonObject, Message
from gateway.validation.place import Place

OTHER = {"RS-EDA": "RC-EDA", "RC-EDA": "RS-EDA"}
UPDATE_ALONE = "an update says a part of the case only; send the whole case (RS-EDA) to this recipient"
NO_CONTEXT = (
    "no-context: nothing that the recipient said or was sent of this case is known, so nothing is given back to it of what "
    "the other side's type has no field for"
)
PRIORITY: Place = ("qualification", "details", "priority")
REPORTING: Place = ("initialAlert", "reporting")  # what the other side makes of it
Made = tuple[JsonObject, tuple[Loss, ...]]


def case_for(source: JsonObject, source_type: str, about: About, context: Context) -> Made:
    here, there = side(source_type), side(OTHER[source_type])
    crossed = cross(source, here, there, about)
    known = known_case(context.seen, there.message_type, about.recipient)
    if known is None:
        return crossed.body, (Loss((), (), NO_CONTEXT), *crossed.lost)
    views = views_of(known, source, crossed, here, there, about)
    result = given_back(views, there.message_type)
    return result.body, still_lost(crossed, views, result)


def views_of(
    known: JsonObject, said: JsonObject, crossed: Crossed, here: Side, there: Side, about: About
) -> Views:
    """What the viewer knows, converted to the other side's type and back, beside what the other side says."""
    expected = body_for(known, there, here, about.back)
    return Views(known, expected, body_for(expected, here, there, about), said, crossed.body)


def still_lost(crossed: Crossed, views: Views, result: GivenBack) -> tuple[Loss, ...]:
    """What the viewer does not get as it was said: neither from the message nor from what it knows."""
    found = []
    for one in crossed.lost:
        target = result.target(one.target) if one.target else ()
        said = at(views.said, one.source)
        if one.reason == GIVEN:
            is_lost = not result.is_back(one.target) and at(result.body, one.target) == at(
                views.new, one.target
            )
        else:
            is_known = said is not ABSENT and said == at(views.expected, one.source)
            is_lost = not is_known and not (one.target and (not target or result.is_back(one.target)))
        if is_lost:
            found.append(Loss(one.source, target, one.reason))
    return tuple(found)


def _own_word(context: Context, about: About) -> JsonObject | None:
    """What the recipient itself said of the case after this sender did; None where the sender had the last word."""
    ends = about.recipient, about.sender
    said = (one for one in context.seen if one.message_type == "RC-EDA" and one.envelope.sender_id in ends)
    last = next(said, None)
    return last.body if last is not None and last.envelope.sender_id == about.recipient else None


def _updated_view(view: Any, before: Any, after: Any, body: Any, update: JsonObject, place: Place) -> Any:
    """What the recipient said, with what the update changes or says: the rest of the sender's case is older than it.

    `before` and `after` are the sender's case without and with the update, `body` what it would be told.
    """
    parts = view, before, after, body
    if all(isinstance(one, dict) for one in parts):
        made = {}
        for name in dict.fromkeys([*body, *view]):
            one, two, three, four = (at(part, (name,)) for part in parts)
            part = _updated_view(one, two, three, four, update, (*place, name))
            if part is not ABSENT:
                made[name] = part
        return made
    said = PRIORITY if place == REPORTING else place
    return view if before == after and at(update, said) is ABSENT else body


def update_for(message: Message, about: About, context: Context) -> Made:
    """An RS-EDA-MAJ as the whole case: in what its sender itself stated, else in what the recipient was sent by it."""
    update, sender = message.body, about.sender
    withheld = [name for name in rules("RC-EDA").withheld if name in update]
    whole = stated_case(context.stated, sender)
    if whole is None:
        told = [one for one in context.seen if one.envelope.sender_id == sender]
        case = known_case(told, "RC-EDA")
        if case is None:
            raise Untranslatable(UPDATE_ALONE, "content[0]")
        whole = body_for(case, side("RC-EDA"), side("RS-EDA"), about.back)
        # how many victims there are is not said by the patients of a part
        update = {name: value for name, value in update.items() if name not in withheld}
    without, now = left_out(whole, update), updated(whole, update)
    body, lost = case_for(now, "RS-EDA", about, context)
    if (view := _own_word(context, about)) is not None:
        before, after = (body_for(one, side("RS-EDA"), side("RC-EDA"), about) for one in (whole, now))
        body = _updated_view(view, before, after, body, update, ())
    said = [one for one in lost if one.reason not in {GIVEN, WITHHELD, NO_CONTEXT} and one.source]
    return (
        body,
        (
            *(Loss((name,), (), WITHHELD) for name in withheld),
            *(one for one in said if at(update, one.source) is not ABSENT),
            *(Loss((name, *place), (), NO_PLACE) for name in without for place, _ in leaves(update[name])),
        ),
    )
