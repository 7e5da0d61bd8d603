"""What the sandbox shows first: one case on its way from SAMU 44 to SAMU 75, step by step, over HTTP alone."""

import asyncio
import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from publishers.sandbox import messages
from publishers.sandbox.publishers import DemoPublisher

JsonObject = dict[str, Any]
SENDER, RECIPIENT, FIRE = "fr.health.samu440", "fr.health.samu750", "fr.fire.nexsis.sdisZ"
PATIENCE = 30.0  # seconds until a step counts as failed
LONGEST, DEEPEST, WIDTH = 64, 3, 110  # what is shown of an answer: characters of a text, levels, columns


class StepFailed(Exception):
    """A step of the demonstration did not go as it should; the text says which and how."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demonstration plays: the gateway's client, the three publishers, and where lines are printed."""

    http: httpx.AsyncClient
    sender: DemoPublisher
    recipient: DemoPublisher
    fire: DemoPublisher
    say: Callable[[str], None]


async def play(stage: Stage) -> None:
    """Play all steps. Raises StepFailed."""
    try:
        async with asyncio.timeout(PATIENCE):
            await _steps(stage)
    except TimeoutError:
        raise StepFailed(f"it was not finished after {PATIENCE:.0f} seconds") from None
    except httpx.HTTPError as error:
        raise StepFailed(f"the gateway did not answer ({type(error).__name__})") from error


async def _steps(stage: Stage) -> None:
    say = stage.say
    say(f"1. The software of SAMU 44 ({stage.sender.id}) authenticates: OAuth2, client credentials.")
    sender = await _token(stage, stage.sender)
    say(
        f"2. It sends a case (RS-EDA) from {SENDER} to {RECIPIENT}. The receipt comes once the case is on disk."
    )
    case = messages.case(SENDER, RECIPIENT, datetime.now(UTC))
    receipt = await _call(stage, "POST", "/v1/messages", 202, sender, case)
    say("3. The gateway translates the case to a FHIR Bundle and forwards it to the national core.")
    mine = f"/v1/messages/{receipt['id']}"
    await _until(stage, mine, sender, lambda told: told["status"] in {"forwarded", "acknowledged"})
    say(
        f"4. The core routes it. The software of SAMU 75 ({stage.recipient.id}) authenticates and reads its inbox."
    )
    recipient = await _token(stage, stage.recipient)
    item = _only(
        await _until(stage, "/v1/inbox?wait=5", recipient, lambda told: _about(told, case)),
        case["distributionID"],
    )
    say(
        "5. It takes the case over: the item leaves its inbox, and the gateway sends the ack (RC-REF) to SAMU 44."
    )
    told = await _call(stage, "POST", f"/v1/inbox/{item['id']}/ack", 200, recipient, {"step": "INTEGRE"})
    say("6. SAMU 44 finds the ack in its own inbox, and takes it out; an ack is never acknowledged itself.")
    ack = _only(
        await _until(stage, "/v1/inbox?wait=5", sender, lambda page: _has(page, told["reference"])),
        told["reference"],
    )
    await _call(stage, "POST", f"/v1/inbox/{ack['id']}/ack", 200, sender)
    say("7. The case's own history says so, too.")
    await _until(stage, mine, sender, lambda status: status["status"] == "acknowledged")
    say("8. What is left of its quota:")
    await _call(stage, "GET", "/v1/quota", 200, sender)
    say(f"9. The same case for the fire service {FIRE}, which is no health actor.")
    shared = messages.case(SENDER, FIRE, datetime.now(UTC))
    await _call(stage, "POST", "/v1/messages", 202, sender, shared)
    say(
        f"10. {stage.fire.id} finds it as RC-EDA: without patient, medical notes and decisions, and `loss` says so."
    )
    crew = await _token(stage, stage.fire)
    page = await _until(stage, "/v1/inbox?wait=5", crew, lambda told: _about(told, shared))
    converted = _only(page, shared["distributionID"])
    if converted["messageType"] != "RC-EDA" or "patientId" in str(converted["content"]):
        raise StepFailed("the fire service got more of the case than it may see")
    await _call(stage, "POST", f"/v1/inbox/{converted['id']}/ack", 200, crew, {"reference": False})


async def _token(stage: Stage, publisher: DemoPublisher) -> dict[str, str]:
    answer = await stage.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(publisher.client_id, publisher.client_secret),
    )
    _show(stage, "POST", "/oauth2/token", answer)
    if answer.status_code != 200:
        raise StepFailed(f"POST /oauth2/token answered {answer.status_code}: {answer.text}")
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def _call(
    stage: Stage, method: str, path: str, wanted: int, headers: dict[str, str], body: JsonObject | None = None
) -> JsonObject:
    answer = await stage.http.request(method, path, headers=headers, json=body)
    _show(stage, method, path, answer)
    if answer.status_code != wanted:
        raise StepFailed(
            f"{method} {path} answered {answer.status_code} where {wanted} was expected: {answer.text}"
        )
    told: JsonObject = answer.json()
    return told


async def _until(
    stage: Stage, path: str, headers: dict[str, str], fulfilled: Callable[[JsonObject], bool]
) -> JsonObject:
    while True:
        answer = await stage.http.get(path, headers=headers)
        if answer.status_code != 200:
            raise StepFailed(f"GET {path} answered {answer.status_code}: {answer.text}")
        told: JsonObject = answer.json()
        if fulfilled(told):
            _show(stage, "GET", path, answer)
            return told
        await asyncio.sleep(0.05)


def _about(page: JsonObject, case: JsonObject) -> bool:
    return _has(page, case["distributionID"])


def _has(page: JsonObject, distribution_id: str) -> bool:
    return any(item["distributionID"] == distribution_id for item in page["items"])


def _only(page: JsonObject, distribution_id: str) -> JsonObject:
    found: JsonObject = next(item for item in page["items"] if item["distributionID"] == distribution_id)
    return found


def _show(stage: Stage, method: str, path: str, answer: httpx.Response) -> None:
    told = json.dumps(abbreviated(answer.json()), ensure_ascii=False)
    lines = textwrap.wrap(told, WIDTH, break_long_words=False, break_on_hyphens=False)
    stage.say(
        "\n".join(
            [
                f"     {method} {path}",
                f"     -> {answer.status_code} {lines[0]}",
                *(f"        {x}" for x in lines[1:]),
                "",
            ]
        )
    )


def abbreviated(value: Any, depth: int = 0) -> Any:
    """A JSON value for the eye: long texts cut, and what lies deep left out."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[:LONGEST] + "…"
    if not isinstance(value, dict | list) or not value:
        return value
    if depth > DEEPEST:
        return "…"
    if isinstance(value, list):
        return [abbreviated(item, depth + 1) for item in value]
    return {name: abbreviated(item, depth + 1) for name, item in value.items()}
