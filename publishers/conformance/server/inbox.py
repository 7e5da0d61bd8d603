"""Checks of the inbox: what arrives, waits, is taken over, and answered once."""

import asyncio
from typing import Any

import httpx
import orjson

from publishers.conformance.checks import Check, Failed, expect
from publishers.conformance.server.bench import PATIENCE, ServerBench, read, refused, seen

ITEM = {"id", "distributionID", "messageType", "modelVersion", "contentType", "content", "receivedAt", "loss"}


async def item(bench: ServerBench) -> None:
    """An item has all its members, and stays until it is acknowledged."""
    document = bench.case()
    await bench.send(document)
    found = await bench.arrived(document["distributionID"])
    expect(set(found) >= ITEM, f"the item lacks {', '.join(sorted(ITEM - set(found)))}")
    wanted: dict[str, type] = {"application/json": dict, "application/xml": str}
    kind = wanted.get(found["contentType"])
    expect(kind, f"contentType is {found['contentType']!r}")
    expect(kind and isinstance(found["content"], kind), "content is no object for JSON, or no string for XML")
    expect(await bench.waiting(document["distributionID"]), "an item left the inbox without an ack")


async def order(bench: ServerBench) -> None:
    """Messages of one case come in the order in which they were accepted."""
    first = bench.case("message 0")
    sent = [first]
    for _ in range(4):
        document = bench.case()
        document["content"] = first["content"]
        own = {"distributionID": document["distributionID"]}
        sent.append(orjson.loads(orjson.dumps({**document, **own}).replace(
            first["distributionID"].encode(), document["distributionID"].encode()
        )))  # fmt: skip
    for document in sent:
        await bench.send(document)
    wanted = [document["distributionID"] for document in sent]
    await bench.arrived(wanted[-1])
    page = read(await bench.get("/v1/inbox?limit=1000"))["items"]
    came = [one["distributionID"] for one in page if one["distributionID"] in wanted]
    expect(came == wanted, "five messages of one case came to the inbox in another order, or not all of them")


async def cursor(bench: ServerBench) -> None:
    """A page's cursor goes on behind it; without one the reading begins at the oldest."""
    for document in (bench.case(), bench.case()):
        await bench.send(document)
        await bench.arrived(document["distributionID"])
    first = read(await bench.get("/v1/inbox?limit=1"))
    expect(len(first["items"]) == 1, f"limit=1 gave {len(first['items'])} items")
    second = read(await bench.get(f"/v1/inbox?limit=1&cursor={first['cursor']}"))
    expect(
        second["items"] and second["items"][0]["id"] != first["items"][0]["id"], "the cursor does not go on"
    )
    again = read(await bench.get("/v1/inbox?limit=1"))
    expect(again["items"][0]["id"] == first["items"][0]["id"], "reading took an item out of the inbox")


async def wait(bench: ServerBench) -> None:
    """A reading with `wait` is answered when something comes."""
    last = (await end(bench))["cursor"]
    reading = asyncio.create_task(bench.get(f"/v1/inbox?wait=20&cursor={last}", timeout=PATIENCE + 10))
    await asyncio.sleep(0.3)  # let the reading begin to wait
    document = bench.case()
    try:
        await bench.send(document)
        found = read(await reading)["items"]
    finally:
        reading.cancel()
    ids = [one["distributionID"] for one in found]
    expect(document["distributionID"] in ids, "a reading with wait=20 was not answered by what came")


async def ack(bench: ServerBench) -> None:
    """An ack takes the item out and sends one RC-REF to the sender; repeating it sends nothing again."""
    document = bench.case()
    receipt = await bench.send(document)
    found = await bench.arrived(document["distributionID"])
    first = await bench.post({"step": "RECU"}, f"/v1/inbox/{found['id']}/ack")
    expect(first.status_code == 200, f"an ack got {seen(first)}; 200 is expected")
    reference = read(first).get("reference")
    expect(isinstance(reference, str) and reference, "the answer to an ack does not name its RC-REF")
    again = await bench.post({"step": "RECU"}, f"/v1/inbox/{found['id']}/ack")
    expect(again.status_code == 200, f"a repeated ack got {seen(again)}; 200 is expected")
    expect(
        await bench.waiting(document["distributionID"]) is None, "an acknowledged item is still in the inbox"
    )
    answer = await bench.arrived(str(reference))
    expect(answer["messageType"] == "RC-REF", f"the ack is a {answer['messageType']}; RC-REF is expected")
    await bench.post(b"", f"/v1/inbox/{answer['id']}/ack")
    page = read(await bench.get("/v1/inbox?limit=1000"))["items"]
    doubled = [
        one
        for one in page
        if one["messageType"] == "RC-REF"
        and document["distributionID"] in orjson.dumps(one["content"]).decode()
    ]
    expect(not doubled, "a repeated ack sent a second RC-REF, or an RC-REF was answered")
    status = await until_status(bench, receipt["id"], "acknowledged")
    expect(status == "acknowledged", f"the status of an acknowledged message is {status!r}")


async def refusal(bench: ServerBench) -> None:
    """A refusal makes the sender's message `refused`, whichever way it is said; the latest answer counts."""
    for wish in ({"step": "ERREUR", "refused": True}, {"refused": True}, {"step": "ERREUR"}):
        document = bench.case()
        receipt = await bench.send(document)
        found = await bench.arrived(document["distributionID"])
        for said, wanted in ((wish, "refused"), ({"step": "INTEGRE"}, "acknowledged")):
            answer = await bench.post(said, f"/v1/inbox/{found['id']}/ack")
            expect(answer.status_code == 200, f"an ack with {said} got {seen(answer)}; 200 is expected")
            status = await until_status(bench, receipt["id"], wanted)
            expect(
                status == wanted, f"after an ack with {said} the status is {status!r}; {wanted!r} is expected"
            )
            told = read(await bench.get(f"/v1/messages/{receipt['id']}"))
            refused = (told.get("answer") or {}).get("refused")
            expect(
                refused is (wanted == "refused"), f"after an ack with {said} answer.refused is {refused!r}"
            )
            page = read(await bench.get("/v1/messages?status=refused&limit=1000"))["items"]
            listed = receipt["id"] in {one["id"] for one in page}
            expect(
                listed is (wanted == "refused"),
                f"after an ack with {said} the list of what is refused is wrong",
            )


async def silent(bench: ServerBench) -> None:
    """`"reference": false` only takes the item out."""
    document = bench.case()
    await bench.send(document)
    found = await bench.arrived(document["distributionID"])
    answer = await bench.post({"reference": False}, f"/v1/inbox/{found['id']}/ack")
    expect(answer.status_code == 200, f"an ack without RC-REF got {seen(answer)}; 200 is expected")
    expect(not read(answer).get("reference"), "an ack with reference: false sent an RC-REF")
    expect(await bench.waiting(document["distributionID"]) is None, "the item is still in the inbox")


async def wrong_ack(bench: ServerBench) -> None:
    """An ack that says what nobody knows is refused, and the item stays."""
    document = bench.case()
    await bench.send(document)
    found = await bench.arrived(document["distributionID"])
    for wish in ({"step": "PERDU"}, {"reference": "no"}, {"unknown": 1}):
        refused(await bench.post(wish, f"/v1/inbox/{found['id']}/ack"), 400, "invalid-parameter")
    expect(await bench.waiting(document["distributionID"]), "a refused ack took the item out")


async def stream(bench: ServerBench) -> None:
    """The inbox as server-sent events: what waits, one item an event, its id the cursor to go on from."""
    document = bench.case()
    await bench.send(document)
    await bench.arrived(document["distributionID"])
    event = await first_event(bench, {})
    expect(event["id"], "an event has no id")
    told = orjson.loads(event["data"])
    expect(set(told) >= ITEM, f"an event's item lacks {', '.join(sorted(ITEM - set(told)))}")
    behind = await first_event(bench, {"Last-Event-ID": event["id"]}, until=document["distributionID"])
    expect(
        behind["id"] != event["id"] or told["distributionID"] == document["distributionID"],
        "the stream does not go on behind Last-Event-ID",
    )


async def first_event(bench: ServerBench, headers: dict[str, str], until: str = "") -> dict[str, str]:
    """The first event of the stream, or the first that tells of a distributionID; `id` and `data`. Raises Failed."""
    sent = {**headers, "Authorization": f"Bearer {await bench.wire.token(bench.me)}"}
    try:
        async with (
            asyncio.timeout(PATIENCE),
            bench.wire.http.stream("GET", "/v1/inbox/stream", headers=sent) as answer,
        ):
            bench.wire.keep("GET", "/v1/inbox/stream", headers, answer, authenticated=True)
            kind = answer.headers.get("content-type", "")
            expect(answer.status_code == 200, f"the stream got {answer.status_code}; 200 is expected")
            expect(
                kind.startswith("text/event-stream"), f"the stream is {kind!r}; text/event-stream is expected"
            )
            return await _event(answer, until)
    except TimeoutError:
        raise Failed(f"no event came on the stream within {PATIENCE:.0f} s") from None


async def _event(answer: httpx.Response, until: str) -> dict[str, str]:
    event: dict[str, str] = {"id": "", "data": ""}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(":")
        if name in {"id", "data"}:
            event[name] = value.removeprefix(" ")
        elif not line and event["data"]:
            if until in event["data"]:
                return event
            event = {"id": "", "data": ""}
    raise Failed("the stream ended before an event came")


async def end(bench: ServerBench) -> dict[str, Any]:
    """The last page of the inbox, an empty one."""
    page: dict[str, Any] = {"items": [None], "cursor": "0"}
    while page["items"]:
        page = read(await bench.get(f"/v1/inbox?limit=1000&cursor={page['cursor']}"))
    return page


async def until_status(bench: ServerBench, message_id: str, wanted: str) -> str:
    """The status of a message once it is the wanted one, or what it is in the end."""
    status = ""
    for _ in range(100):
        status = str(read(await bench.get(f"/v1/messages/{message_id}")).get("status"))
        if status == wanted:
            break
        await asyncio.sleep(0.1)
    return status


CHECKS: tuple[Check[ServerBench], ...] = (
    Check("inbox-item", "An item is whole and stays", ("server.inbox-item",), item),
    Check("inbox-order", "A case comes in order", ("server.order",), order),
    Check("inbox-cursor", "Reading page by page", ("server.inbox-cursor",), cursor),
    Check("inbox-wait", "Waiting for what comes", ("server.inbox-wait",), wait),
    Check("ack", "An ack is sent once", ("server.ack",), ack),
    Check("ack-refused", "A refusal is no acknowledgement", ("server.refused",), refusal),
    Check("ack-silent", "Taking out without an answer", ("server.ack-silent",), silent),
    Check("ack-wrong", "A wrong ack changes nothing", ("server.ack-wrong",), wrong_ack),
    Check("inbox-stream", "The inbox as a stream", ("server.inbox-stream",), stream),
)
