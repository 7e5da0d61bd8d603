"""The SDK's pure parts: retries, headers, events, errors, webhooks, envelopes."""

import base64
import itertools
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from regulation_sdk import (
    ClientSecret,
    GatewayError,
    PrivateKey,
    RetryPolicy,
    Unavailable,
    WebhookError,
    envelope,
    verify_webhook,
)
from regulation_sdk.effects import Answer, Lost
from regulation_sdk.envelopes import instant
from regulation_sdk.errors import error_of, issues_of
from regulation_sdk.events import EventReader
from regulation_sdk.limits import Windows, rate_limit, retry_after
from regulation_sdk.retry import Again, Attempt, Moment, judge
from regulation_sdk.transport import to_lost

from gateway.errors import ErrorKind, Issue
from gateway.outcome import operation_outcome

NOW = 1_795_514_400.0
POLICY = RetryPolicy(deadline=60.0, first=0.5, most=8.0)


def verdict(outcome: Answer | Lost, attempt: Attempt | None = None) -> Any:
    return judge(POLICY, attempt or Attempt(60.0), outcome, "t", "id", Moment(0.0, NOW, 0.5))


@given(st.integers(1, 400), st.floats(0, 1, exclude_max=True))
def test_backoff_grows_to_its_most_and_a_random_half_is_taken_off(failures: int, chance: float) -> None:
    full = min(POLICY.most, POLICY.first * 2.0 ** (failures - 1))
    assert full / 2 <= POLICY.backoff(failures, chance) <= full


@given(
    st.lists(st.sampled_from([503, 429, 500, 401, 200, 422, None]), max_size=60),
    st.floats(0, 1, exclude_max=True),
)
def test_a_call_ends_by_its_deadline_whatever_comes(outcomes: list[int | None], chance: float) -> None:
    now, attempt = 100.0, Attempt(160.0)
    for status in outcomes:
        outcome: Answer | Lost = Lost("x") if status is None else Answer(status, {})
        told = judge(POLICY, attempt, outcome, "t", "id", Moment(now, NOW, chance))
        if not isinstance(told, Again):
            assert (status == 200) == isinstance(told, Answer)
            return
        assert status in (503, 429, 500, 401, None)
        assert not (status == 401 and attempt.refused)
        now, attempt = now + told.seconds, told.attempt
        assert now < 160.0


def test_what_may_have_arrived_stays_unsure() -> None:
    told = verdict(Lost("x", sent=True))
    assert told.attempt.unsure
    assert verdict(Answer(503, {}), told.attempt).attempt.unsure
    assert not verdict(Lost("x", sent=False)).attempt.unsure
    assert isinstance(verdict(Lost("certificate", hopeless=True)), Unavailable)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 410, 413, 415, 422])
def test_a_refusal_is_never_repeated(status: int) -> None:
    assert isinstance(verdict(Answer(status, {"Retry-After": "1"})), GatewayError)


def outcome_saying(*verbs: str) -> bytes:
    url = "https://hub-fhir.example/fhir/StructureDefinition/retry"
    issues = [{"severity": "error", "code": "x", "extension": [{"url": url, "valueCode": v}]} for v in verbs]
    return json.dumps({"resourceType": "OperationOutcome", "issue": issues}).encode()


@pytest.mark.parametrize(
    ("status", "verbs", "again"),
    [
        (503, ["after"], True),
        (500, ["same-id"], True),
        (500, ["never"], False),
        (503, ["after", "new-id"], False),
        (422, ["after"], True),
        (415, ["same-id"], False),
        (422, ["new-id"], False),
        (503, [], True),
        (429, [], True),
        (408, [], True),
        (404, [], False),
    ],
)
def test_the_gateways_retry_verb_is_obeyed(status: int, verbs: list[str], again: bool) -> None:
    assert isinstance(verdict(Answer(status, {}, outcome_saying(*verbs))), Again) == again


def test_retry_after_in_both_forms_and_in_its_absence() -> None:
    assert retry_after({"Retry-After": "120"}, NOW) == 120.0
    date = format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True)
    assert retry_after({"Retry-After": date}, NOW) == 90.0
    assert retry_after({"Retry-After": "soon"}, NOW) is None
    assert retry_after({"RateLimit": '"burst";r=0;t=1, "day";r=0;t=77, "x";r=5;t=99'}, NOW) == 77.0
    assert retry_after({}, NOW) is None


@given(st.text(max_size=80))
def test_any_rate_limit_field_is_read_without_error(text: str) -> None:
    for name, left, seconds in rate_limit(text):
        assert name in text and left >= 0 and seconds >= 0


def test_windows_count_what_is_sent_between_answers() -> None:
    windows = Windows()
    windows.note({"RateLimit": '"burst";r=2;t=1, "day";r=10;t=500'}, 0.0)
    windows.spend()
    assert windows.wait(0.0) == 0.0
    windows.spend()
    assert windows.wait(0.25) == 0.75 and windows.wait(2.0) == 0.0


EVENTS = (
    'id: 1\nevent: message\ndata: {"a":1}\n\n: waiting\r\n\r\ndata: é\rdata: deux\r\ndata: trois\r\n\r\n'
    "data\n\nid: 7\n\nevent: other\ndata:  x\n\n"
)


@given(st.lists(st.integers(0, len(EVENTS.encode()))))
def test_events_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    raw, reader = EVENTS.encode(), EventReader()
    places = [0, *sorted(cuts), len(raw)]
    found = [e for a, b in itertools.pairwise(places) for e in reader.feed(raw[a:b])]
    told = [(event.type, event.data, event.id) for event in found]
    assert told == [
        ("message", '{"a":1}', "1"),
        ("message", "é\ndeux\ntrois", "1"),
        ("message", "", "1"),
        ("other", " x", "7"),
    ]


@pytest.mark.parametrize("kind", list(ErrorKind), ids=lambda kind: kind.value.code)
def test_every_error_of_the_catalogue_is_understood(kind: ErrorKind) -> None:
    told = operation_outcome((Issue(kind, "what was found", "content[0].x", "/content/0/x"),))
    error = error_of(kind.value.status, json.dumps(told).encode(), "id", None)
    assert type(error) is not GatewayError and type(error).__name__ != "UnexpectedAnswer"
    (issue,) = error.issues
    assert (issue.code, issue.type, issue.retry) == (kind.value.code, kind.value.issue_type, kind.value.retry)
    assert (issue.expression, issue.pointer, issue.hub) == ("content[0].x", "/content/0/x", kind.value.hub)
    assert error.retry == kind.value.retry and "what was found" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"resourceType": 3}',
        b'{"resourceType":"OperationOutcome","issue":[3]}',
        b"\xff",
    ],
)
def test_a_body_that_is_no_outcome_has_no_issues(body: bytes) -> None:
    assert issues_of(body) == ()


def test_an_assertion_is_one_the_gateway_takes() -> None:
    keys: tuple[ECKey | RSAKey, ...] = (
        ECKey.generate_key("P-256"),
        ECKey.generate_key("P-384"),
        RSAKey.generate_key(2048),
    )
    for key, algorithm in zip(keys, ("ES256", "ES384", "RS256"), strict=True):
        headers, form = PrivateKey("me", key.as_dict(private=True)).authenticate("https://gateway.test", NOW)
        token = jwt.decode(form["client_assertion"], key, algorithms=[algorithm])
        assert headers == {} and token.header["kid"] == key.thumbprint()
        assert (
            token.claims["iss"] == token.claims["sub"] == "me"
            and token.claims["aud"] == "https://gateway.test"
        )
        assert token.claims["exp"] - token.claims["iat"] <= 300


def test_private_keys_are_read_from_jwk_and_pem(tmp_path: Any) -> None:
    for key in (ECKey.generate_key("P-256"), RSAKey.generate_key(2048)):
        (tmp_path / "key.pem").write_bytes(key.as_pem(private=True))
        (tmp_path / "key.json").write_text(json.dumps(key.as_dict(private=True)))
        one, two = (PrivateKey.from_file("me", tmp_path / name) for name in ("key.pem", "key.json"))
        assert one.jwk["kty"] == two.jwk["kty"] and one.jwk["d"] == two.jwk["d"]
        assert str(one.jwk["d"]) not in repr(one)


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "AA", "d": "x"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "EC", "crv": "P-521", "d": "x"},
    ],
)
def test_a_key_that_does_not_serve_is_refused_early(jwk: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="JWK"):
        PrivateKey("me", jwk)


def test_secrets_are_not_shown_and_are_encoded() -> None:
    credentials = ClientSecret("me:too", "a b+c%")
    assert "a b" not in repr(credentials)
    header = credentials.authenticate("", NOW)[0]["Authorization"]
    assert base64.b64decode(header.removeprefix("Basic ")) == b"me%3Atoo:a+b%2Bc%25"


KEY = Ed25519PrivateKey.generate()
OLD = Ed25519PrivateKey.generate()
BODY = b'{"type":"inbox.item","id":"01936a3c"}'


def signed(*keys: Ed25519PrivateKey, at: float = NOW, body: bytes = BODY) -> dict[str, str]:
    text = f"msg_1.{int(at)}.".encode() + body
    signatures = " ".join("v1a," + base64.b64encode(key.sign(text)).decode() for key in keys)
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(int(at)), "Webhook-Signature": signatures}


def whpk(key: Ed25519PrivateKey) -> str:
    return "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def jwks(*keys: Ed25519PrivateKey) -> dict[str, Any]:
    other = ECKey.generate_key("P-256").as_dict(private=False)
    return {"keys": [other, *(OKPKey.import_key(key.public_key()).as_dict(private=False) for key in keys)]}


def test_a_webhook_is_believed_by_any_of_its_signatures() -> None:
    for keys in ([whpk(KEY)], whpk(KEY), jwks(OLD, KEY), jwks(KEY)["keys"][1]):
        assert verify_webhook(BODY, signed(OLD, KEY), keys, now=NOW + 299).id == "msg_1"
    rotated = signed(OLD)
    rotated["Webhook-Signature"] += " v1,aGVsbG8= v1a,??? nonsense"
    assert verify_webhook(BODY, rotated, jwks(OLD, KEY), now=NOW).timestamp == NOW


@pytest.mark.parametrize(
    ("change", "now", "why"),
    [
        ({"Webhook-Id": "msg_2"}, NOW, "known key"),
        ({"Webhook-Timestamp": str(int(NOW) + 1)}, NOW, "known key"),
        ({"Webhook-Signature": "v1a,"}, NOW, "known key"),
        ({"Webhook-Signature": ""}, NOW, "known key"),
        ({"Webhook-Timestamp": "now"}, NOW, "no number"),
        ({}, NOW + 301, "replayed"),
        ({}, NOW - 301, "replayed"),
    ],
)
def test_a_webhook_that_was_changed_or_is_old_is_refused(
    change: dict[str, str], now: float, why: str
) -> None:
    with pytest.raises(WebhookError, match=why):
        verify_webhook(BODY, {**signed(KEY), **change}, [whpk(KEY)], now=now)


def test_a_webhook_of_another_body_or_key_or_without_header_is_refused() -> None:
    with pytest.raises(WebhookError, match="known key"):
        verify_webhook(BODY + b" ", signed(KEY), [whpk(KEY)], now=NOW)
    with pytest.raises(WebhookError, match="known key"):
        verify_webhook(BODY, signed(KEY), [whpk(OLD)], now=NOW)
    with pytest.raises(WebhookError, match="webhook-id is missing"):
        verify_webhook(BODY, {}, [whpk(KEY)], now=NOW)
    for none in (jwks(), [], ["whpk_?"]):
        with pytest.raises(ValueError, match="key"):
            verify_webhook(BODY, signed(KEY), none, now=NOW)


def test_times_need_a_zone_and_lose_their_fraction() -> None:
    assert instant(datetime.fromtimestamp(NOW + 0.75, UTC)) == "2026-11-24T10:00:00+00:00"
    with pytest.raises(ValueError, match="time zone"):
        instant(datetime(2026, 11, 24))  # noqa: DTZ001 - that is the point


def test_an_envelope_agrees_with_its_header() -> None:
    sent = datetime.fromtimestamp(NOW, UTC)
    made = envelope(
        "info",
        {},
        sender="a.b.c",
        recipient="d.e.f",
        sent_at=sent,
        status="Exercise",
        expires_at=sent + timedelta(1),
    )
    message = made["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    assert message["messageId"] == made["distributionID"] and made["distributionID"].startswith("a.b.c_")
    assert (message["status"], made["distributionStatus"]) == ("Exercise", "Exercise")
    assert made["dateTimeExpires"] == "2026-11-25T10:00:00+00:00"
    assert list(
        envelope("error", {}, sender="a", recipient="b", header=False)["content"][0]["jsonContent"][
            "embeddedJsonContent"
        ]["message"]
    ) == ["error"]


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (httpx.ConnectError("x"), False),
        (httpx.ConnectTimeout("x"), False),
        (httpx.PoolTimeout("x"), False),
        (httpx.ReadTimeout("x"), True),
        (httpx.RemoteProtocolError("x"), True),
        (httpx.WriteError("x"), True),
    ],
)
def test_what_never_left_is_told_from_what_may_have_arrived(error: httpx.RequestError, sent: bool) -> None:
    lost = to_lost(error)
    assert (lost.sent, lost.hopeless, lost.reason) == (sent, False, type(error).__name__)
