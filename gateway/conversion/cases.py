"""A case (RS-EDA, RC-EDA) for the other side, with what its recipient knows of it. Pure."""

from gateway.conversion.context import Context, known_case, left_out, stated_case, updated
from gateway.conversion.crossing import GIVEN, NO_PLACE, WITHHELD, Crossed, cross
from gateway.conversion.giving_back import GivenBack, Views, given_back
from gateway.conversion.moving import Loss
from gateway.conversion.places import ABSENT, at, leaves
from gateway.conversion.rules import rules
from gateway.conversion.sides import About, Side, side
from gateway.errors import Untranslatable
from gateway.model import JsonObject, Message

OTHER = {"RS-EDA": "RC-EDA", "RC-EDA": "RS-EDA"}
UPDATE_ALONE = "an update says a part of the case only; send the whole case (RS-EDA) to this recipient"
NO_CONTEXT = (
    "no-context: nothing that the recipient said or was sent of this case is known, so nothing is given back to it of what "
    "the other side's type has no field for"
)
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
    expected = cross(known, there, here, about.back).body
    return Views(known, expected, cross(expected, here, there, about).body, said, crossed.body)


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
        whole = cross(case, side("RC-EDA"), side("RS-EDA"), about.back).body
        # how many victims there are is not said by the patients of a part
        update = {name: value for name, value in update.items() if name not in withheld}
    without = left_out(whole, update)
    body, lost = case_for(updated(whole, update), "RS-EDA", about, context)
    said = [one for one in lost if one.reason not in {GIVEN, WITHHELD, NO_CONTEXT} and one.source]
    return (
        body,
        (
            *(Loss((name,), (), WITHHELD) for name in withheld),
            *(one for one in said if at(update, one.source) is not ABSENT),
            *(Loss((name, *place), (), NO_PLACE) for name in without for place, _ in leaves(update[name])),
        ),
    )
