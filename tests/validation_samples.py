"""A good case message and ways to spoil it, for the tests of validation."""

from collections.abc import Callable
from typing import Any

from gateway import validation
from gateway.edxl import json_codec
from gateway.errors import Issue
from gateway.model import Message
from tests.strategies import enveloped

Json = dict[str, Any]
Change = Callable[[Json], object]
MESSAGE = "content[0].jsonContent.embeddedJsonContent.message"
CASE = f"{MESSAGE}.createCaseHealth"


def case() -> Json:
    return {
        "caseId": "fr.health.samu440.DRFR15DDXAAJJJ00001",
        "creation": "2026-01-31T10:00:00+01:00",
        "qualification": {
            "origin": "15",
            "riskThreat": [{"code": "R01", "label": "Dommage exclusivement matériel"}],
            "whatsHappen": {"code": "C01.01.01", "label": "Véhicule léger, fourgon"},
        },
        "location": {"externalLocationId": [{"source": "SIREN", "value": "123456789"}]},
        "owner": "fr.health.samu440",
        "patient": [{"patientId": "fr.health.samu440.patient.1", "detail": {"weight": 70}}],
    }


def read(document: Json) -> Message:
    return json_codec.message(document, "v3")


def inner(document: Json) -> Json:
    message: Json = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    return message


def judged(change: Change, *, strict: bool = False) -> dict[str, Issue]:
    """The issues of a good case message after a change to its document, by path."""
    document = enveloped("createCaseHealth", case())
    change(document)
    issues = validation.judge(read(document), strict_codes=strict)
    assert len({issue.path for issue in issues}) == len(issues)
    return {issue.path: issue for issue in issues}


def changed(**members: Any) -> Change:
    """Set members of the use case."""

    def change(document: Json) -> None:
        for name, value in members.items():
            inner(document)["createCaseHealth"][name] = value

    return change


def set_(*steps: str, to: Any) -> Change:
    def change(document: Json) -> None:
        target = inner(document) if steps[0] == "message" else document
        for step in steps[steps[0] == "message" : -1]:
            target = target[step]
        target[steps[-1]] = to

    return change
