from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import validation
from gateway.edxl import json_codec
from gateway.errors import ErrorKind
from gateway.validation import coherence
from tests.strategies import enveloped
from tests.validation_samples import CASE, MESSAGE, Change, Json, case, changed, inner, judged, read, set_

ADDRESS = "descriptor.explicitAddress.explicitAddressValue"


def _recipients(*uris: Any) -> Change:
    def change(document: Json) -> None:
        inner(document)["recipient"] = [{"name": "x", "URI": uri} for uri in uris]

    return change


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (set_("message", "messageId", to="fr.health.samu440_other"), f"{MESSAGE}.messageId"),
        (set_("message", "kind", to="Update"), f"{MESSAGE}.kind"),
        (set_("message", "status", to="Exercise"), f"{MESSAGE}.status"),
        (set_("message", "sentAt", to="2026-01-31T10:04:35+00:00"), f"{MESSAGE}.sentAt"),
        (set_("dateTimeSent", to="2026-01-31t10:04:33.000z"), f"{MESSAGE}.sentAt"),
        (set_("message", "sender", "URI", to="hubex:fr.health.samu441"), f"{MESSAGE}.sender.URI"),
        (_recipients("hubex:fr.health.samu751", "hubex:fr.health.samu752"), f"{MESSAGE}.recipient"),
        (set_("dateTimeExpires", to="2026-01-31T10:04:33+00:00"), "dateTimeExpires"),
    ],
)
def test_header_and_envelope_are_to_say_the_same(change: Change, path: str) -> None:
    issues = judged(change)
    assert [(p, issue.kind, issue.severity) for p, issue in issues.items()] == [
        (path, ErrorKind.ENVELOPE, "error")
    ]


@pytest.mark.parametrize(
    "change",
    [
        set_("message", "sentAt", to="2026-01-31T11:04:34+01:00"),
        set_("dateTimeSent", to="2026-01-31T10:04:34Z"),
        set_("dateTimeSent", to="2026-01-31t10:04:34.000z"),
        set_("message", "status", to="System"),
        set_("message", "sender", "URI", to="sge:fr.health.samu440"),
        set_("message", "sender", "URI", to="hubsante:fr.health.samu440"),
        _recipients("hubex:fr.health.samu751", "sge:fr.health.samu750"),
        set_("dateTimeExpires", to="2026-01-31T10:04:34+00:00"),
    ],
)
def test_equal_instants_and_other_schemes_are_no_issue(change: Change) -> None:
    assert judged(change) == {}


@pytest.mark.parametrize("name", ["distributionKind", "distributionStatus"])
def test_a_word_that_is_wrong_in_the_envelope_is_not_asked_of_the_header(name: str) -> None:
    assert list(judged(set_(name, to="Rapport"))) == [name]


def test_a_leap_second_does_not_hurt() -> None:
    found = judged(set_("dateTimeExpires", to="2026-12-31T23:59:60Z"))
    assert [(name, issue.severity) for name, issue in found.items()] == [("dateTimeExpires", "warning")]


@pytest.mark.parametrize(
    ("sender", "distribution_id", "fine"),
    [
        ("fr.health.samu440", "fr.health.samu440_1", True),
        ("fr.health.samu440", "fr.health.samu440_1_2", True),
        ("fr.health.samu440", "fr.health.samu441_1", False),
        ("fr.health.samu440", "fr.health.samu440.1", False),
        ("fr.health.samu_440", "fr.health.samu_440_1", False),  # the Hub reads up to the first underscore
        ("fr.fire.nexsis.sdisZ", "any-id", True),  # the Hub asks it of health senders only
    ],
)
def test_a_distribution_id_begins_with_its_sender(sender: str, distribution_id: str, fine: bool) -> None:
    document = enveloped("createCaseHealth", case(), sender=sender)
    document["distributionID"] = inner(document)["messageId"] = distribution_id
    issues = validation.judge(read(document))
    assert [(i.path, i.kind) for i in issues] == ([] if fine else [("distributionID", ErrorKind.ENVELOPE)])


@pytest.mark.parametrize("bad", ["", "x" * 257, "a\u0000b", "a\nb"])
def test_ids_that_the_gateway_keys_on_are_short_and_printable(bad: str) -> None:
    document = enveloped(
        "reference", {"distributionID": bad}, sender="fr.fire.sisZ", recipient="fr.health.samu440"
    )
    document["distributionID"] = inner(document)["messageId"] = bad
    found = {
        issue.path: issue.kind
        for issue in validation.judge(read(document))
        if "printable" in issue.diagnostics
    }
    assert found == {
        "distributionID": ErrorKind.ENVELOPE,
        f"{MESSAGE}.reference.distributionID": ErrorKind.SCHEMA,
    }
    document = enveloped("createCaseHealth", case())
    document["senderID"] = document["descriptor"]["explicitAddress"]["explicitAddressValue"] = bad
    found = {
        issue.path: issue.kind
        for issue in validation.judge(read(document))
        if "printable" in issue.diagnostics
    }
    assert found == {"senderID": ErrorKind.ENVELOPE, ADDRESS: ErrorKind.ENVELOPE}


def test_a_case_id_is_bounded_too() -> None:
    issues = judged(changed(caseId="fr.health.samu440." + "x" * 300))
    assert [(p, i.kind) for p, i in issues.items()] == [(f"{CASE}.caseId", ErrorKind.SCHEMA)]


@pytest.mark.parametrize(
    ("root_key", "kind", "fine"),
    [
        ("createCaseHealth", "Report", True),
        ("createCaseHealth", "Update", True),
        ("createCaseHealth", "Ack", False),
        ("createCaseHealth", "Error", False),
        ("reference", "Ack", True),
        ("reference", "Report", False),
        ("reference", "Error", False),
        ("error", "Error", True),
        ("error", "Ack", False),
    ],
)
def test_kind_and_type_fit_together(root_key: str, kind: str, fine: bool) -> None:
    error = {
        "errorCode": {"statusCode": 1, "statusString": "a"},
        "errorCause": "b",
        "referencedDistributionID": "c",
    }
    body = {"createCaseHealth": case(), "reference": {"distributionID": "a"}, "error": error}[root_key]
    issues = validation.judge(read(enveloped(root_key, body, kind=kind)))
    assert [(i.path, i.kind) for i in issues] == ([] if fine else [("distributionKind", ErrorKind.ENVELOPE)])


VALUES = [
    "",
    "Ack",
    "Error",
    "Report",
    "Actual",
    "System",
    "fr.health.samu440",
    "hubex:fr.health.samu750",
    "a\nb",
]
VALUES += ["x" * 300, "2026-01-31T10:04:34+00:00", "2026-02-01T10:04:34+23:00", "2020-01-01T00:00:00Z"]
VALUES += ["fr.health.samu440_x"]


@given(st.data())
def test_what_is_plain_has_no_issue(data: st.DataObject) -> None:
    """The quick look must never pass what the close look refuses."""
    document = enveloped("createCaseHealth", {"caseId": "fr.health.samu440.C1"})
    header = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    spoils: list[Callable[[str], None]] = [
        lambda v: document.update(distributionID=v),
        lambda v: document.update(senderID=v),
        lambda v: document.update(dateTimeSent=v),
        lambda v: document.update(dateTimeExpires=v),
        lambda v: document.update(distributionKind=v),
        lambda v: document.update(distributionStatus=v),
        lambda v: document["descriptor"]["explicitAddress"].update(explicitAddressValue=v),
        lambda v: header.update(messageId=v),
        lambda v: header.update(kind=v),
        lambda v: header.update(status=v),
        lambda v: header.update(sentAt=v),
        lambda v: header["sender"].update(URI=v),
        lambda v: header["recipient"][0].update(URI=v),
        lambda v: header["createCaseHealth"].update(caseId=v),
    ]
    values = st.sampled_from(VALUES)
    for spoil in data.draw(st.lists(st.sampled_from(spoils), max_size=2)):
        spoil(data.draw(values))
    message = json_codec.message(document, "v3")
    if coherence.is_plain(message):
        assert list(coherence.issues(message)) == []
    if document == enveloped("createCaseHealth", {"caseId": "fr.health.samu440.C1"}):
        assert coherence.is_plain(message)
    if validation.accepts(message):
        assert all(issue.severity != "error" for issue in validation.judge(message))
