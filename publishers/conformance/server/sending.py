"""Checks of sending: what is accepted in which form, and what sending twice does."""

import asyncio
import re

import orjson

from publishers.conformance import messages
from publishers.conformance.checks import Check, expect
from publishers.conformance.server.bench import ServerBench, read, refused, seen

RECEIPT = {
    "id",
    "distributionID",
    "status",
    "messageType",
    "modelVersion",
    "receivedAt",
    "duplicate",
    "quota",
}
FHIR_JSON = {"Content-Type": "application/fhir+json"}
XML = {"Content-Type": "application/xml"}


async def receipt(bench: ServerBench) -> None:
    """A message in JSON gets 202 and a receipt."""
    document = bench.case()
    told = await bench.send(document)
    expect(set(told) >= RECEIPT, f"the receipt lacks {', '.join(sorted(RECEIPT - set(told)))}")
    expected = {
        "distributionID": document["distributionID"],
        "status": "received",
        "messageType": "RS-EDA",
        "modelVersion": "v3",
        "duplicate": False,
    }
    wrong = [f"{name} = {told[name]!r}" for name, value in expected.items() if told[name] != value]
    expect(not wrong, f"the receipt says {', '.join(wrong)}")
    expect(told["quota"] in {"ordinary", "reserve"}, "quota is neither ordinary nor reserve")


async def location(bench: ServerBench) -> None:
    """`Location` is the receipt's own URL, where status and timeline are read."""
    answer = await bench.post(bench.case())
    told, place = read(answer), answer.headers.get("location", "")
    expect(
        place.endswith(f"/v1/messages/{told.get('id')}"),
        f"Location is {place!r}; /v1/messages/{{id}} is expected",
    )


async def timeline(bench: ServerBench) -> None:
    """A message is read by its id: the receipt with its timeline."""
    told = await bench.send(bench.case())
    mine = read(await bench.get(f"/v1/messages/{told['id']}"))
    expect(mine.get("distributionID") == told["distributionID"], "the message read is another")
    steps = mine.get("timeline") or []
    expect(
        isinstance(steps, list) and steps and steps[0]["step"] == "received",
        "the timeline does not begin with received",
    )
    expect(all({"step", "at"} <= set(step) for step in steps), "a step of the timeline lacks step or at")


async def xml(bench: ServerBench) -> None:
    """A message in XML is accepted, and v1 in XML is refused (415, Hub 101)."""
    document = bench.case(messages.ACCENTS)
    told = read(await bench.post(document, "/v1/messages/$translate?to=RS-EDA&version=v3&format=xml"))
    expect(told.get("contentType") == "application/xml", "$translate to xml did not give application/xml")
    body = str(told.get("content", "")).encode()
    answer = await bench.post(body, **XML)
    expect(answer.status_code == 202, f"a message in XML got {seen(answer)}; 202 is expected")
    refused(await bench.post(body, **XML, **{"Model-Version": "v1"}), 415, "101")


async def bundle(bench: ServerBench) -> None:
    """A canonical Bundle is accepted as the message that it stands for."""
    told = read(await bench.post(bench.case(), "/v1/messages/$translate?to=fhir"))
    expect(
        told.get("contentType") == "application/fhir+json",
        "$translate to fhir did not give application/fhir+json",
    )
    answer = await bench.post(orjson.dumps(told.get("content")), **FHIR_JSON)
    expect(answer.status_code == 202, f"a canonical Bundle got {seen(answer)}; 202 is expected")
    expect(read(answer).get("messageType") == "RS-EDA", "the Bundle of an RS-EDA was not taken for one")


async def replay(bench: ServerBench) -> None:
    """The same bytes again give the first receipt: 200, `duplicate`, `Idempotent-Replayed: true`."""
    body = orjson.dumps(bench.case())
    first = read(await bench.post(body))
    again = await bench.post(body)
    expect(again.status_code == 200, f"the same bytes again got {seen(again)}; 200 is expected")
    told = read(again)
    expect(told.get("id") == first.get("id"), "the same bytes again got another receipt")
    expect(told.get("duplicate") is True, "the repeated receipt does not say duplicate: true")
    replayed = again.headers.get("idempotent-replayed", "none")
    expect(replayed == "true", f"Idempotent-Replayed is {replayed}; true is expected")


async def conflict(bench: ServerBench) -> None:
    """The same distributionID with other bytes gets 409."""
    document = bench.case("first")
    await bench.send(document)
    messages.use_case(document)["createCaseHealth"]["medicalNote"][0]["freetext"] = "second"
    refused(await bench.post(document), 409, "distribution-id-reused")


async def race(bench: ServerBench) -> None:
    """Five equal requests at one time are accepted once."""
    body = orjson.dumps(bench.case())
    answers = await asyncio.gather(*(bench.post(body) for _ in range(5)))
    statuses = sorted(answer.status_code for answer in answers)
    expect(
        statuses == [200, 200, 200, 200, 202],
        f"five equal requests got {statuses}; one 202 and four 200 are expected",
    )
    expect(
        len({read(answer).get("id") for answer in answers}) == 1, "five equal requests got several receipts"
    )


async def validate(bench: ServerBench) -> None:
    """`$validate` says what is wrong, stores nothing and spends no id."""
    good = await bench.post(bench.case(), "/v1/messages/$validate")
    expect(good.status_code == 200, f"$validate of a valid message got {seen(good)}; 200 is expected")
    errors = [i for i in read(good).get("issue", []) if i.get("severity") in {"error", "fatal"}]
    expect(not errors, f"$validate finds an error in a valid message: {seen(good)}")
    document = bench.case("first")
    await bench.post(document, "/v1/messages/$validate")
    messages.use_case(document)["createCaseHealth"]["medicalNote"][0]["freetext"] = "second"
    answer = await bench.post(document)
    expect(
        answer.status_code == 202, f"a message that was validated before got {seen(answer)}; 202 is expected"
    )


async def translate(bench: ServerBench) -> None:
    """`$translate` gives content and loss report, and what comes back from the Bundle is what went in."""
    document = bench.case(messages.ACCENTS)
    told = read(await bench.post(document, "/v1/messages/$translate?to=fhir"))
    lacking = {"contentType", "content", "further", "loss"} - set(told)
    expect(not lacking, f"the answer lacks {', '.join(sorted(lacking))}")
    back = await bench.post(
        orjson.dumps(told["content"]), "/v1/messages/$translate?to=RS-EDA&version=v3", **FHIR_JSON
    )
    expect(read(back).get("content") == document, "what came back from the Bundle is not what went in")
    unknown = await bench.post(document, "/v1/messages/$translate?to=NO-SUCH")
    expect(
        400 <= unknown.status_code < 500, f"an unknown target type got {seen(unknown)}; an error is expected"
    )


async def forwarded_once(bench: ServerBench) -> None:
    """What was accepted goes to the core, and comes to the recipient as it was sent, accents and all."""
    document = bench.case(messages.ACCENTS)
    told = await bench.send(document)
    await bench.post(document)
    item = await bench.arrived(document["distributionID"])
    if item["contentType"] == "application/json":
        expect(item["content"] == document, "what came to the inbox is not what was sent")
    else:
        missing = [word for word in re.split(r"[\s<>&\"']+", messages.ACCENTS) if word not in item["content"]]
        expect(not missing, f"the inbox lost or changed: {', '.join(missing)}")
    status = read(await bench.get(f"/v1/messages/{told['id']}")).get("status")
    expect(status in {"forwarded", "acknowledged"}, f"the status of a delivered message is {status!r}")


CHECKS: tuple[Check[ServerBench], ...] = (
    Check("receipt", "A message gets its receipt", ("server.receipt",), receipt),
    Check("location", "Location leads to the message", ("server.location",), location),
    Check("timeline", "A message shows its way", ("server.timeline",), timeline),
    Check("xml", "Messages in XML", ("server.xml",), xml),
    Check("bundle", "Messages as canonical Bundles", ("server.bundle",), bundle),
    Check("replay", "Sending twice gives the first receipt", ("server.replay",), replay),
    Check("conflict", "Another message under a used id is refused", ("server.conflict",), conflict),
    Check("race", "Equal requests at one time are one message", ("server.race",), race),
    Check("validate", "A dry run stores nothing", ("server.validate",), validate),
    Check("translate", "Translation there and back", ("server.translate",), translate),
    Check("delivery", "A message arrives as it was sent", ("server.delivery",), forwarded_once),
)
