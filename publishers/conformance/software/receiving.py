"""Checks of software that receives: what it stores, and when and how it says so."""

import asyncio
from typing import Any

import orjson

from publishers.conformance import messages
from publishers.conformance.checks import Check, Failed, Skipped, expect
from publishers.conformance.software import faults
from publishers.conformance.software.bench import ARRIVES_WITHIN, SETTLE, SoftwareBench, differences, marker
from publishers.conformance.software.sending import name
from publishers.conformance.software.subject import SubjectFailed

JsonObject = dict[str, Any]


async def stored(bench: SoftwareBench) -> None:
    """A message is stored as it was sent."""
    document = await incoming(bench, marker())
    found = the(await bench.received(document), document)
    wrong = differences(await bench.at_software(document), bench.use_case(found), frozenset())
    expect(not wrong, f"the message was stored with differences at {', '.join(wrong[:5])}")


async def acknowledged(bench: SoftwareBench) -> None:
    """A message is acknowledged: one RC-REF comes back to its sender in time."""
    document = await incoming(bench, marker())
    await bench.received(document)
    answer = await bench.partner.reference(document["distributionID"], ARRIVES_WITHIN)
    expect(answer, f"no RC-REF came back within {ARRIVES_WITHIN:.0f} s: ack the item, or send an own RC-REF")
    await asyncio.sleep(SETTLE / 3)
    await bench.partner.arrived("no such marker", 0)
    answers = bench.partner.references(document["distributionID"])
    expect(
        len(answers) == 1,
        f"{len(answers)} RC-REF came back for one message: ack with reference: false, or send no own RC-REF",
    )


async def characters(bench: SoftwareBench) -> None:
    """Accents, emoji, no-break spaces and combining characters are stored as they were sent."""
    text = f"{marker()} {messages.ACCENTS}"
    document = await incoming(bench, text)
    case = bench.use_case(the(await bench.received(document), document))
    expect(
        case["createCaseHealth"]["medicalNote"][0]["freetext"] == text,
        "the text was stored with other characters",
    )


async def store_first(bench: SoftwareBench) -> None:
    """What was acknowledged is stored: the software is ended the moment its ack has gone out, and must still have it."""
    if not bench.subject.can_crash:
        raise Skipped("software behind a web hook cannot be ended from here; --command can")
    document = await incoming(bench, marker())
    acked = asyncio.Event()

    async def power_cut() -> None:
        await bench.subject.crash()
        acked.set()

    with bench.proxy.failing(faults.then(faults.acking, power_cut)):
        reading = asyncio.create_task(read_until_it_ends(bench))
        try:
            await asyncio.wait_for(acked.wait(), ARRIVES_WITHIN)
        except TimeoutError:
            raise Skipped("no ack was seen, which the check `ack` judges") from None
        finally:
            await reading
            await bench.restart()
    kept = [one.get("distributionID") for one in (await bench.do("stored")).get("stored", [])]
    expect(
        document["distributionID"] in kept,
        "a message was acknowledged before it was stored: ended in between, the software has lost it, and nobody sends it again",
    )


async def once(bench: SoftwareBench) -> None:
    """A message that comes twice, because its ack failed, is stored once and acknowledged in the end."""
    for trouble in (
        faults.refuse(faults.acking, 503, "overloaded", "after", retry_after="1"),
        faults.lost_answer(faults.acking),
    ):
        document = await incoming(bench, marker())
        with bench.proxy.failing(trouble):
            await bench.received(document)
        await bench.do("receive", count=1, seconds=2)
        kept = [one.get("distributionID") for one in (await bench.do("stored")).get("stored", [])]
        times = kept.count(document["distributionID"])
        expect(times == 1, f"a message whose ack met {trouble.name} is stored {times} times")
        answer = await bench.partner.reference(document["distributionID"], ARRIVES_WITHIN)
        expect(answer, f"a message whose ack met {trouble.name} was never acknowledged")


async def order(bench: SoftwareBench) -> None:
    """Messages are taken over in the order of the inbox."""
    case, texts = name(), [marker() for _ in range(4)]
    contents = [messages.case(bench.partner.id, case, texts[0])]
    contents += [messages.update(bench.partner.id, case, text) for text in texts[1:]]
    documents = [await bench.partner.send(content) for content in contents]
    wanted = [document["distributionID"] for document in documents]
    kept = [one.get("distributionID") for one in await bench.received(*documents)]
    came = [wanted.index(one) + 1 for one in kept if one in wanted]
    expect(came == sorted(came), f"four messages of a case were stored in the order {came}")


async def growth(bench: SoftwareBench) -> None:
    """Members of an inbox item that the software does not know are passed over."""
    with bench.proxy.failing(faults.grown(faults.reading)):
        document = await incoming(bench, marker())
        await bench.received(document)
    expect(
        await bench.partner.reference(document["distributionID"], ARRIVES_WITHIN),
        "it was stored, but not acknowledged",
    )


async def unknown_code(bench: SoftwareBench) -> None:
    """A code that the software's lists lack is kept as it is: lists grow, and the gateway lets it pass."""
    text = marker()
    content = messages.case(bench.partner.id, name(), text)
    content["createCaseHealth"]["qualification"]["whatsHappen"] = {
        "code": "C99.99.99",
        "label": "A later list",
    }
    document = await bench.partner.send(content)
    found = bench.use_case(the(await bench.received(document), document))
    wrong = differences(await bench.at_software(document), found, frozenset())
    expect(
        not wrong,
        f"with a code that the lists lack the message was stored with differences at {', '.join(wrong[:5])}",
    )


async def outage(bench: SoftwareBench) -> None:
    """A reading that fails is made again: after an outage the inbox is read on."""
    document = await incoming(bench, marker())
    trouble = faults.refuse(faults.reading, 503, "overloaded", "after", retry_after="1")
    with bench.proxy.failing(trouble):
        await bench.received(document)


async def no_answer_to_an_ack(bench: SoftwareBench) -> None:
    """An RC-REF leaves the inbox, and no RC-REF is sent for it."""
    text = marker()
    await bench.send(await bench.order(messages.case(bench.me, name(), text)))
    item = await bench.partner.arrived(text, ARRIVES_WITHIN)
    if item is None:
        raise Skipped("the message did not arrive, which the check `delivery` judges")
    reference = await bench.partner.acknowledge(item)
    await taken_without_answer(bench, reference)


async def error_taken(bench: SoftwareBench) -> None:
    """An RS-ERROR leaves the inbox, its software knows of it, and no RC-REF is sent for it."""
    if bench.subject.by_hand:
        raise Skipped(
            "a person operates the software: look yourself whether an RS-ERROR is shown with its message"
        )
    text = marker()
    order = (await bench.core.post("/faults", json={"status": 422, "count": 1})).status_code
    expect(order == 200, "the simulated core takes no fault")
    await bench.send(await bench.order(messages.case(bench.me, name(), text)))
    attempts = await bench.attempts_until_accepted(text, SETTLE)
    if not attempts:
        raise Skipped("the message was not sent, which the check `delivery` judges")
    refers = attempts[0].distribution_id
    for _ in range(6):
        await bench.do("receive", count=1, seconds=3)
        for one in (await bench.do("stored")).get("stored", []):
            if one.get("messageType") == "RS-ERROR" and refers in orjson.dumps(one).decode():
                await taken_without_answer(bench, str(one["distributionID"]))
                return
    raise Failed(
        "the RS-ERROR about a message that the core refused is not among what the software has stored"
    )


async def taken_without_answer(bench: SoftwareBench, distribution_id: str) -> None:
    """Raises Failed where an answer is still in the inbox, or was itself answered."""
    await bench.received({"distributionID": distribution_id})
    await asyncio.sleep(SETTLE / 3)
    own = [
        s
        for s in bench.proxy.seen
        if s.path == "/v1/messages" and s.method == "POST" and distribution_id.encode() in s.body
    ]
    expect(not own, "an RC-REF or RS-ERROR was answered with an RC-REF: answers are never answered")


async def incoming(bench: SoftwareBench, text: str) -> JsonObject:
    """A case from the other SAMU, on its way to the software's inbox; its EDXL-DE document."""
    return await bench.partner.send(messages.case(bench.partner.id, name(), text))


async def read_until_it_ends(bench: SoftwareBench) -> None:
    """Have the software read its inbox; that it ends meanwhile is intended."""
    try:
        await bench.subject.do("receive", count=1, seconds=ARRIVES_WITHIN)
    except SubjectFailed:
        return


def the(kept: list[JsonObject], document: JsonObject) -> JsonObject:
    """The stored message that a document became."""
    return next(one for one in kept if one.get("distributionID") == document["distributionID"])


CHECKS: tuple[Check[SoftwareBench], ...] = (
    Check("stored", "A message is stored as it was sent", ("receiver.stored",), stored),
    Check("ack", "A message is acknowledged once, in time", ("receiver.ack",), acknowledged),
    Check("characters", "Every character is stored", ("receiver.characters",), characters),
    Check("store-first", "Stored first, acknowledged then", ("receiver.store-first",), store_first),
    Check("once", "A message that comes twice is stored once", ("receiver.once",), once),
    Check("order-receiving", "A case is taken over in order", ("receiver.order",), order),
    Check("growth-receiving", "Unknown members of an item are passed over", ("receiver.growth",), growth),
    Check("unknown-code", "An unknown code is kept", ("receiver.codes",), unknown_code),
    Check("outage", "After an outage the inbox is read on", ("receiver.outage",), outage),
    Check("ack-of-ack", "An ack is never acknowledged", ("receiver.no-ack-of-ack",), no_answer_to_an_ack),
    Check("rs-error", "An RS-ERROR is taken over", ("receiver.error",), error_taken),
)
