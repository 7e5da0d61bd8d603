"""How the hostile network fails: the answers that a gateway may give, or not give."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from publishers.conformance.software.proxy import Answer, Fault, Forward, Seen

Match = Callable[[Seen], bool]
FUTURE = {"futureMember": {"since": "a later version"}}


def lost_answer(matches: Match) -> Fault:
    """The gateway takes the request, and its answer is lost."""

    async def act(forward: Forward) -> None:
        await forward()

    return Fault("lost answer", matches, act)


def refuse(matches: Match, status: int, code: str, retry: str, times: int = 1, **headers: str) -> Fault:
    """The gateway answers with an error instead of taking the request."""

    async def act(_forward: Forward) -> Answer:
        return error(status, code, retry, **headers)

    return Fault(str(status), matches, act, times)


def grown(matches: Match, times: int = 50) -> Fault:
    """JSON objects of the answer, and items in it, have a member that the client does not know yet."""

    async def act(forward: Forward) -> Answer:
        answer = await forward()
        return Answer(answer.status, answer.headers, grow(answer.body))

    return Fault("grown", matches, act, times)


def then(matches: Match, what: Callable[[], Awaitable[None]]) -> Fault:
    """The gateway takes the request, then something happens, and no answer comes."""

    async def act(forward: Forward) -> None:
        await forward()
        await what()

    return Fault("then", matches, act)


def error(status: int, code: str, retry: str, **headers: str) -> Answer:
    """An OperationOutcome as the gateway gives it."""
    base = "https://hub-fhir.example/fhir"
    issue = {
        "extension": [{"url": f"{base}/StructureDefinition/retry", "valueCode": retry}],
        "severity": "error",
        "code": {401: "login", 410: "expired", 422: "invalid", 429: "throttled", 503: "transient"}[status],
        "details": {"coding": [{"system": f"{base}/CodeSystem/error", "code": code}]},
        "diagnostics": "The conformance suite answers so.",
    }
    body = orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    more = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Answer(status, [(b"content-type", b"application/fhir+json"), *more], body)


def grow(body: bytes) -> bytes:
    """A JSON object with a further member, and its items too; other bodies as they are."""
    try:
        told: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    if not isinstance(told, dict):
        return body
    if isinstance(told.get("items"), list):
        told["items"] = [{**item, **FUTURE} for item in told["items"]]
    return orjson.dumps({**told, **FUTURE})


def sending(marker: str) -> Match:
    """A message whose text holds the marker, on its way out."""
    wanted = marker.encode()
    return lambda seen: seen.method == "POST" and seen.path == "/v1/messages" and wanted in seen.body


def acking(seen: Seen) -> bool:
    """An inbox item being acknowledged."""
    return seen.method == "POST" and seen.path.startswith("/v1/inbox/") and seen.path.endswith("/ack")


def reading(seen: Seen) -> bool:
    """The inbox being read."""
    return seen.method == "GET" and seen.path.startswith("/v1/inbox")
