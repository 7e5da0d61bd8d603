"""What an answer tells is enough to put things right: values as they are, the audience that is expected, the type that only tests."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt

from gateway import edxl, validation
from tests.house import ASSERTION, BASE, CASE, House, house
from tests.strategies import enveloped


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as running:
        yield running


def told(root_key: str, body: Any, version: str = "v3") -> str:
    """The texts of all issues of a message."""
    message = edxl.message(enveloped(root_key, body), version)
    return "\n".join(issue.diagnostics for issue in validation.judge(message))


@pytest.mark.parametrize(
    ("decision", "hints"),
    [
        ({"resourceType": "TSU"}, ['Nearest: "TSU ".', '"TSU "']),  # the list of v2 has a space at its end
        ({"resourceType": "smur"}, ['Nearest: "SMUR"']),
    ],
)
def test_values_in_hints_are_quoted(decision: dict[str, Any], hints: list[str]) -> None:
    wanted = {
        "creation": "2026-11-24T10:05:00+01:00",
        "operator": {"role": "MEDECIN"},
        "decisionType": "INTER",
    }
    text = told("createCaseHealth", {**CASE, "decision": [{**wanted, **decision}]}, "v2")
    assert all(hint in text for hint in hints), text


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (["fr.health.samu440"], "It is written as a list: send its entry without the list around it."),
        ([], "It is written as a list: send a value."),
        (["fr.health.samu440", "fr.health.samu750"], "It is written as a list: send one value."),
    ],
)
def test_a_list_in_the_place_of_a_value_is_called_one(value: Any, hint: str) -> None:
    assert hint in told("createCaseHealth", {**CASE, "owner": value})


@pytest.mark.parametrize("value", ["R01", {"code": "R01"}, 7])
def test_what_is_no_list_is_not_called_one(value: Any) -> None:
    text = told("createCaseHealth", {**CASE, "owner": value, "patient": value})
    assert "written as a list" not in text and "Put it into a list" in text


@pytest.mark.parametrize("root_key", ["customContent", "technical", "technicalNoreq"])
def test_a_test_type_is_called_one(root_key: str) -> None:
    assert f'Found "{root_key}", a test type of the Hub Santé' in told(root_key, {"anything": 1})


@pytest.mark.parametrize("root_key", ["distributionElement", "createCas"])
def test_what_is_no_test_type_is_not_called_one(root_key: str) -> None:
    assert "test type" not in told(root_key, {})


async def asked(gateway: House, header: dict[str, Any], **claims: Any) -> httpx.Response:
    """The answer to the core's assertion with other claims or another header."""
    now = int(gateway.clock())
    told = {
        "iss": "national-core",
        "sub": "national-core",
        "aud": BASE,
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + 60,
    }
    text = jwt.encode(
        {"alg": "ES256", "typ": "JWT", **header}, told | claims, gateway.core_key, algorithms=["ES256"]
    )
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": text}
    return await gateway.client.post("/oauth2/token", data=form)


@pytest.mark.parametrize(
    "audience", ["https://other.example", f"{BASE}/", [BASE, "https://other.example"], None]
)
async def test_a_wrong_audience_is_told_the_right_one(gateway: House, audience: Any) -> None:
    answer = await asked(gateway, {"kid": gateway.core_key.kid}, aud=audience)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    text = answer.json()["error_description"]
    assert f"expected {BASE} or {BASE}/oauth2/token" in text and "other.example" not in text


@pytest.mark.parametrize("audience", [BASE, f"{BASE}/oauth2/token", [BASE, f"{BASE}/oauth2/token"]])
async def test_what_is_told_is_taken(gateway: House, audience: Any) -> None:
    assert (await asked(gateway, {"kid": gateway.core_key.kid}, aud=audience)).status_code == 200


@pytest.mark.parametrize("kid", ["", "another", " "])
async def test_a_kid_that_no_registered_key_has_is_refused(gateway: House, kid: str) -> None:
    answer = await asked(gateway, {"kid": kid})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    assert "kid" in answer.json()["error_description"]


async def test_without_kid_the_only_key_is_meant(gateway: House) -> None:
    assert (await asked(gateway, {})).status_code == 200


@pytest.mark.parametrize("kid", ["", "another"])
async def test_an_access_token_needs_a_kid_of_the_gateway(gateway: House, kid: str) -> None:
    raw = (await gateway.token())["Authorization"].removeprefix("Bearer ")
    key = gateway.runtime.authorization.keys.keys[0]
    claims = jwt.decode(raw, key).claims
    header = {"alg": "ES256", "typ": "at+jwt", "kid": kid}
    forged = jwt.encode(header, claims, key, algorithms=["ES256"])
    answer = await gateway.client.get("/v1/inbox", headers={"Authorization": f"Bearer {forged}"})
    assert answer.status_code == 401, answer.text
