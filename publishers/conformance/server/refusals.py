"""Checks of refusals: each wrong message with the status, the code and the places that the contract names."""

import copy
from typing import Any

import orjson

from publishers.conformance import messages
from publishers.conformance.checks import Check, Failed, Skipped, expect
from publishers.conformance.server.bench import ServerBench, codes_of, issues_of, read, refused, seen

NO_ID = "0" * 32


async def unreadable(bench: ServerBench) -> None:
    """What is not JSON or XML: 400, Hub 102."""
    for body in (b"{", b"", b"\xff\xfe", b"[1, 2"):
        refused(await bench.post(body), 400, "102")
    answer = await bench.post(b"<a>", **{"Content-Type": "application/xml"})
    refused(answer, 400, "102")


async def envelope(bench: ServerBench) -> None:
    """A fault of the envelope: 400, Hub 300, at its place."""
    document = bench.case()
    document["dateTimeSent"] = "yesterday"
    answer = await bench.post(document)
    refused(answer, 400, "300")
    expect_place(answer, "dateTimeSent", "/dateTimeSent")


async def all_at_once(bench: ServerBench) -> None:
    """Three faults of one message are told in one answer: 422, each with its expression and pointer."""
    document = bench.case()
    case = messages.use_case(document)["createCaseHealth"]
    case["qualification"]["details"]["careLevel"] = 7
    case["noSuchField"] = "x"
    del case["owner"]
    answer = await bench.post(document)
    refused(answer, 422, "300")
    places = [
        " ".join(issue.get("expression", []))
        for issue in issues_of(answer)
        if issue.get("severity") == "error"
    ]
    for name in ("careLevel", "noSuchField", "createCaseHealth"):
        if issues_of(answer):
            expect(any(name in place for place in places), f"of three faults the one at {name} is not told")


async def content_count(bench: ServerBench) -> None:
    """Two content items: 422."""
    document = bench.case()
    document["content"].append(copy.deepcopy(document["content"][0]))
    refused(await bench.post(document), 422, "content-count")


async def sender(bench: ServerBench) -> None:
    """A sender that is not this publisher's: 403, Hub 200."""
    foreign = bench.target.foreign
    content = messages.case(bench.target.sender, f"CONFORMANCE{messages.fresh_name()}")
    refused(await bench.post(messages.enveloped(content, foreign, bench.target.recipient)), 403, "200")


async def recipient(bench: ServerBench) -> None:
    """A recipient that nobody knows: 422, Hub 501."""
    content = messages.case(bench.target.sender, f"CONFORMANCE{messages.fresh_name()}")
    document = messages.enveloped(content, bench.target.sender, "fr.health.nobody-has-this-id")
    tried = await bench.post(document, "/v1/messages/$validate")
    if "501" not in codes_of(tried):
        raise Skipped("this deployment's registry has an inbox for every id")
    refused(await bench.post(document), 422, "501")


async def expired(bench: ServerBench) -> None:
    """A message past its dateTimeExpires: 410, Hub 400."""
    refused(await bench.post(bench.case(expires_in=-3_600)), 410, "400")


async def media_type(bench: ServerBench) -> None:
    """Another media type: 415, Hub 101."""
    for kind in ("text/plain", "application/octet-stream"):
        refused(await bench.post(bench.case(), **{"Content-Type": kind}), 415, "101")


async def size(bench: ServerBench) -> None:
    """A body over the limit: 413, and the client sees the answer."""
    body = orjson.dumps(bench.case("x" * (bench.target.max_body + 1)))
    refused(await bench.post(body), 413, "too-large")


async def parameters(bench: ServerBench) -> None:
    """A wrong parameter or header: 400, and nothing is guessed."""
    for path in (
        "/v1/messages?limit=none",
        "/v1/inbox?limit=0",
        "/v1/inbox?cursor=x",
        "/v1/messages?status=lost",
    ):
        refused(await bench.get(path), 400, "invalid-parameter")
    refused(await bench.post(bench.case(), **{"Model-Version": "v9"}), 400, "invalid-parameter")


async def unknown(bench: ServerBench) -> None:
    """An id, a path or an item that is not there: 404."""
    for path in (f"/v1/messages/{NO_ID}", "/v1/no-such-path"):
        refused(await bench.get(path), 404, "not-found")
    refused(await bench.post(b"", f"/v1/inbox/{NO_ID}/ack"), 404, "not-found")


async def method(bench: ServerBench) -> None:
    """A method that a path does not know: 405 with Allow."""
    answer = await bench.wire.call("DELETE", "/v1/messages", by=bench.me)
    refused(answer, 405, "method-not-allowed")
    allowed = answer.headers.get("allow", "")
    expect(
        {"GET", "POST"} <= {word.strip() for word in allowed.split(",")},
        f"Allow is {allowed!r}; GET, POST is expected",
    )


async def anothers(bench: ServerBench) -> None:
    """Another publisher's message does not exist: 404, and no list shows it."""
    other = bench.target.other
    if other is None:
        raise Skipped("no second client was given (--other-client-id)")
    told = await bench.send(bench.case())
    answer = await bench.wire.call("GET", f"/v1/messages/{told['id']}", by=other)
    refused(answer, 404, "not-found")
    listed = read(await bench.wire.call("GET", "/v1/messages?limit=100", by=other))["items"]
    expect(told["id"] not in {row["id"] for row in listed}, "a list shows another publisher's message")
    item = await bench.arrived(told["distributionID"])
    taken = await bench.wire.call("POST", f"/v1/inbox/{item['id']}/ack", by=other)
    refused(taken, 404, "not-found")


async def problem(bench: ServerBench) -> None:
    """A client that asks for problem details gets RFC 9457 with a retry verb."""
    answer = await bench.get(f"/v1/messages/{NO_ID}", headers={"Accept": "application/problem+json"})
    kind = answer.headers.get("content-type", "")
    expect(
        kind.startswith("application/problem+json"),
        f"got {seen(answer)}; application/problem+json is expected",
    )
    told = read(answer)
    lacking = {"type", "title", "status", "detail", "instance", "retry"} - set(told)
    expect(not lacking, f"the problem details lack {', '.join(sorted(lacking))}")
    expect(told["status"] == answer.status_code, "status is not that of the answer")


def expect_place(answer: Any, expression: str, pointer: str) -> None:
    """Raises Failed unless an issue of an OperationOutcome is at this place."""
    issues = issues_of(answer)
    for issue in issues:
        pointers = [
            extension.get("valueString")
            for extension in issue.get("extension", [])
            if str(extension.get("url")).endswith("/pointer")
        ]
        if expression in issue.get("expression", []) and pointer in pointers:
            return
    if issues:
        raise Failed(f"no issue is at {expression} with the pointer {pointer}")


CHECKS: tuple[Check[ServerBench], ...] = (
    Check("unreadable", "A body that cannot be read", ("server.unreadable",), unreadable),
    Check("envelope", "A wrong envelope", ("server.envelope",), envelope),
    Check("all-at-once", "All faults in one answer", ("server.all-issues",), all_at_once),
    Check("content-count", "More than one content item", ("server.content-count",), content_count),
    Check("sender", "A sender of somebody else's", ("server.sender",), sender),
    Check("recipient", "A recipient that nobody knows", ("server.recipient",), recipient),
    Check("expired", "A message past its expiry", ("server.expired",), expired),
    Check("media-type", "A media type that is not taken", ("server.media-type",), media_type),
    Check("size", "A body over the limit", ("server.size",), size),
    Check("parameters", "A wrong parameter", ("server.parameters",), parameters),
    Check("not-found", "What is not there", ("server.not-found",), unknown),
    Check("method", "A method that is not known", ("server.method",), method),
    Check("isolation", "Another publisher's things do not exist", ("server.isolation",), anothers),
    Check("problem-details", "Problem details where asked for", ("server.problem-details",), problem),
)
