"""Broken requests of every kind, to be sent to a whole gateway. `tests/error_page.py` shows its real answers."""

import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
from starlette.types import Receive, Scope, Send

from gateway import answers, outcome
from gateway.app import create_app
from gateway.edge import Edge
from gateway.edxl import xml_writer
from gateway.errors import CoreOutage
from gateway.model import Limits
from schemas.examples import minimal
from schemas.fields import table
from tests.abuse.wire import listening, talk
from tests.house import BASE, NOW, PUBLISHERS, House, case, publisher
from tests.strategies import enveloped

PATIENT: dict[str, Any] = {
    "patientId": "fr.health.samu440.patient.DRFR154402632800017.1",
    "identity": {"strictFeatures": {"sex": "M"}},
}
Act = Callable[[House], Awaitable[httpx.Response]]
# beside those of tests/house.py: a reader without message.send, one whose codes are judged strictly, one of few types
CLIENTS = (
    *PUBLISHERS,
    publisher("reader", ("fr.health.samu111",), ("fr.health.samu111",), scopes=("inbox.read",)),
    publisher("strict", ("fr.fire.nexsis.sdis22",), ("fr.fire.nexsis.sdis22",), strict_codes=True),
    publisher("narrow", ("fr.health.samu333",), ("fr.health.samu333",), message_types=("RC-REF",)),
    publisher(
        "small", ("fr.health.samu555",), ("fr.health.samu555",), limits=Limits(per_minute=1, reserve=0)
    ),
    publisher(
        "repeating", ("fr.health.samu666",), ("fr.health.samu666",), limits=Limits(bytes_per_minute=100)
    ),
)


@dataclass(frozen=True, slots=True)
class Example:
    """One broken request: its title, how it differs from a good one, and what sends it."""

    title: str
    broken: str
    act: Act
    require_certification: bool = False  # of the gateway


def body(document: dict[str, Any], client: str = "lrm", **headers: str) -> Act:
    """Post a document."""
    return lambda house: house.send(document, client, **headers)


def raw(content: bytes, **headers: str) -> Act:
    """Post bytes."""
    return lambda house: house.post(content, **headers)


def asked(method: str, path: str, client: str = "lrm", content: bytes = b"") -> Act:
    """Any other request."""

    async def act(house: House) -> httpx.Response:
        headers = {"Content-Type": "application/json", **await house.token(client)}
        return await house.client.request(method, path, content=content, headers=headers)

    return act


def written(document: dict[str, Any]) -> bytes:
    """A document in XML."""
    return xml_writer.encode(document, "v3").content


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """A document without some members."""
    return {name: value for name, value in document.items() if name not in names}


def sent_by(client_id: str, document: dict[str, Any]) -> dict[str, Any]:
    """A document whose sender is another."""
    changed: dict[str, Any] = orjson.loads(
        orjson.dumps(document).replace(b"fr.health.samu440", client_id.encode())
    )
    return changed


def shared_case(fact: str) -> dict[str, Any]:
    """An RC-EDA with a code of its list of facts, or with another: that list is known completely."""
    content = minimal(table("RC-EDA", "v3").root)
    content["qualification"]["whatsHappen"] = {"code": fact, "label": "x"}
    sent = datetime.fromtimestamp(NOW, UTC)
    return enveloped("createCase", content, sender="fr.fire.nexsis.sdis22", internal_id="1", sent=sent)


async def reused(house: House) -> httpx.Response:
    await house.send(case(1))
    return await house.send(case(1, owner="fr.health.samu750"))


async def one_too_many(house: House) -> httpx.Response:
    await house.send(sent_by("fr.health.samu555", case(1)), "small")
    return await house.send(sent_by("fr.health.samu555", case(2)), "small")


async def repeats_without_room(house: House) -> httpx.Response:
    document = sent_by("fr.health.samu666", case(1))
    for _ in range(2):
        answer = await house.send(document, "repeating")
    return answer


async def full_backlog(house: House) -> httpx.Response:
    house.core.trouble += [CoreOutage("HTTP 503", 3_600.0)] * 10
    for number in range(1, BACKLOG + 1):
        answer = await house.send(case(number, caseId=f"fr.health.samu440.{number}"))
        assert answer.status_code == 202, answer.text
    return await house.send(case(99))


async def failing_room(_house: House) -> httpx.Response:
    async def room(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("a defect")

    transport = httpx.ASGITransport(Edge(room, lambda _publisher: [], outcome.DEFAULT_BASE))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        return await client.post("/v1/messages")


async def forged_answer(house: House) -> httpx.Response:
    await house.send(case(1))
    about = answers.Correspondence("fr.health.samu222", "fr.health.samu440", "fr.health.samu440_1")
    return await house.send(answers.reference(about, house.clock(), "INTEGRE"), "strict")


def on_the_wire(request: bytes, **bounds: Any) -> Act:
    """Bytes to the gateway's own HTTP server."""

    async def act(house: House) -> httpx.Response:
        async with listening(create_app(house.runtime), **bounds) as port:
            return (await talk(port, request))[-1].response

    return act


def twice(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "content": document["content"] * 2}


def replaced(old: bytes, new: bytes, **changes: Any) -> Act:
    made = orjson.dumps(case(1, **changes))
    assert old in made
    return raw(made.replace(old, new))


BACKLOG = 3
BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": []}
FIRE = {"recipient": "fr.fire.nexsis.sdisZ"}
EXAMPLES = (
    Example("Not JSON", "the last bytes are cut off", raw(orjson.dumps(case(1))[:-9])),
    Example(
        "XML with a document type",
        "`<!DOCTYPE …>` stands before the envelope",
        raw(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", **{"Content-Type": "application/xml"}),
    ),
    Example(
        "A member of the envelope is missing", "no `dateTimeSent`", body(without(case(1), "dateTimeSent"))
    ),
    Example(
        "A wrong word in the envelope",
        "`distributionKind` is `Telegram`",
        replaced(b'"distributionKind":"Report"', b'"distributionKind":"Telegram"'),
    ),
    Example(
        "Header and envelope differ",
        "the RC-DE header names another sender than the envelope",
        replaced(b'"URI":"hubex:fr.health.samu440"', b'"URI":"hubex:fr.health.samu750"'),
    ),
    Example(
        "Everything at once",
        "unknown recipient, expired before it was sent, and a number as `caseId`",
        body(
            {
                **case(1, recipient="fr.health.samu123", caseId=7),
                "dateTimeExpires": "2020-01-01T00:00:00+00:00",
            }
        ),
    ),
    Example(
        "Another one's sender",
        "`senderID` is not one of this client's",
        body(sent_by("fr.health.samu750", case(1, recipient="fr.health.samu440"))),
    ),
    Example(
        "An unknown recipient",
        "nobody has the inbox `fr.health.samu123`",
        body(case(1, recipient="fr.health.samu123")),
    ),
    Example(
        "Neither side is a health actor",
        "from the fire side to the fire side",
        body(
            orjson.loads(orjson.dumps(case(1, **FIRE)).replace(b"fr.health.samu440", b"fr.fire.nexsis.sdisZ")),
            "fire",
        ),
    ),
    Example(
        "Expired",
        "`dateTimeExpires` is past",
        body({**case(1), "dateTimeExpires": "2026-11-24T10:00:00+00:00"}),
    ),
    Example(
        "The same distributionID for another message", "`fr.health.samu440_1` was accepted before", reused
    ),
    Example(
        "Not a member of the enumeration",
        "`sex` is `H`",
        replaced(b'"sex":"M"', b'"sex":"H"', patient=[PATIENT]),
    ),
    Example(
        "The same in XML: the pointer is an XPath",
        "`<sex>H</sex>`",
        raw(
            written(case(1, patient=[PATIENT])).replace(b"<sex>M<", b"<sex>H<"),
            **{"Content-Type": "application/xml"},
        ),
    ),
    Example("A required member is missing", "no `caseId`", replaced(b'"caseId":', b'"caseid":')),
    Example("Another JSON type", "`caseId` is a number", body(case(1, caseId=7))),
    Example(
        "Not in the pattern",
        "the instant of `creation` has no offset from UTC",
        body(case(1, creation="2026-11-24T10:05:00")),
    ),
    Example(
        "A code that its list lacks, for a client whose codes are judged strictly",
        "`whatsHappen.code` is `C99.99.99`; for other clients this is a warning, and the message is accepted",
        body(shared_case("C99.99.99"), "strict"),
    ),
    Example("Two content items", "`content` holds the message twice", body(twice(case(1)))),
    Example(
        "An unknown use case", "`createCaseWealth`", replaced(b'"createCaseHealth"', b'"createCaseWealth"')
    ),
    Example(
        "A type that this client is not registered for",
        "the registration allows RC-REF alone",
        body(sent_by("fr.health.samu333", case(1)), "narrow"),
    ),
    Example(
        "A Bundle that is not the canonical one",
        "`type` is `collection`, and there is no MessageHeader",
        raw(orjson.dumps(BUNDLE), **{"Content-Type": "application/fhir+json"}),
    ),
    Example(
        "A media type that is not accepted", "`text/plain`", body(case(1), **{"Content-Type": "text/plain"})
    ),
    Example("XML of model v1", "v1 has no XML form here", raw(written(case(1)), **{"Content-Type": "application/xml", "Model-Version": "v1"})),
    Example("Too large", "2 MiB", raw(b" " * 2_097_152)),
    Example(
        "Compressed",
        "`Content-Encoding: gzip`; the answer says `Accept-Encoding: identity`",
        raw(gzip.compress(orjson.dumps(case(1)), mtime=0), **{"Content-Encoding": "gzip"}),
    ),
    Example(
        "A header field twice",
        "two `Authorization`",
        on_the_wire(b"GET /v1/quota HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"),
    ),
    Example(
        "A request that does not come in time",
        "the head has no end",
        on_the_wire(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n", head_seconds=0.1),
    ),
    Example(
        "An expectation that is not known",
        "`Expect: the-best`",
        on_the_wire(b"GET /v1/quota HTTP/1.1\r\nHost: x\r\nExpect: the-best\r\n\r\n"),
    ),
    Example(
        "A head that is too large",
        "a field of 40,000 bytes",
        on_the_wire(b"GET /v1/quota HTTP/1.1\r\nHost: x\r\nX-Filler: " + b"y" * 40_000 + b"\r\n\r\n"),
    ),
    Example(
        "A transfer coding that is not known",
        "`Transfer-Encoding: gzip, chunked`",
        on_the_wire(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ),
    Example(
        "Another version of HTTP",
        "HTTP/2 without being asked",
        on_the_wire(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ),
    Example("A wrong parameter", "`Model-Version: v9`", body(case(1), **{"Model-Version": "v9"})),
    Example(
        "Not sayable in the wanted form",
        "`POST /v1/messages/$translate?to=RS-BPV` with an RS-EDA",
        asked("POST", "/v1/messages/$translate?to=RS-BPV", content=orjson.dumps(case(1))),
    ),
    Example("No valid token", "`Authorization: Bearer x.y.z`", body(case(1), Authorization="Bearer x.y.z")),
    Example("A token without the scope", "the client has `inbox.read` alone", body(case(1), "reader")),
    Example("An unknown id", "`GET /v1/messages/unknown`", asked("GET", "/v1/messages/unknown")),
    Example("A method that the path does not have", "`DELETE /v1/quota`", asked("DELETE", "/v1/quota")),
    Example("The quota is spent", "the second message of a client that may send one a minute", one_too_many),
    Example(
        "The gateway takes nothing now", f"`GATEWAY_BACKLOG_LIMIT` is {BACKLOG}, and the core is away", full_backlog
    ),
    Example("A defect of the gateway", "nothing: the request was good", failing_room),
    Example(
        "An answer to a message that was for another",
        "an RC-REF of `fr.health.samu222` about a message that was sent to `fr.health.samu750`",
        forged_answer,
    ),
    Example(
        "Not certified for this type and version",
        "nothing, but `GATEWAY_REQUIRE_CERTIFICATION` is true, and no report stands in the client's registration",
        body(case(1)),
        require_certification=True,
    ),
    Example(
        "A JSON member twice",
        "`owner` is sent twice, and readers would differ on which one counts",
        replaced(b'"owner":', b'"owner":"fr.health.samu750","owner":'),
    ),
    Example(
        "Too many patients",
        "501 patients in one message",
        body(case(1, patient=[PATIENT] * 501)),
    ),
    Example("Too many repeats", "the repeat of a client whose window in bytes is spent", repeats_without_room),
)  # fmt: skip
