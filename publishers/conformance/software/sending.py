"""Checks of software that sends: what goes out, and what it does when the network or the gateway fails."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from gateway.answers import HAVE_STEP
from publishers.conformance import messages
from publishers.conformance.checks import Check, Skipped, expect
from publishers.conformance.software import faults
from publishers.conformance.software.bench import (
    ARRIVES_WITHIN,
    SETTLE,
    Interruption,
    SoftwareBench,
    differences,
    marker,
)
from publishers.conformance.software.proxy import Fault, assertion_part

PAUSE = 2  # seconds of Retry-After
MARGIN = 0.1  # seconds by which clocks and rounding may differ
ACKNOWLEDGED, REFUSED = "acknowledged", "refused"
JsonObject = dict[str, Any]
ACK: JsonObject = {"step": "RECU"}
INTEGRATED: JsonObject = {"step": "INTEGRE"}
REFUSAL: JsonObject = {"step": "ERREUR", "refused": True}
JUDGED_ELSEWHERE = "it did not send again, which the check `resend` judges"


async def delivery(bench: SoftwareBench) -> None:
    """A message arrives as it was ordered."""
    text = marker()
    order = await bench.order(messages.case(bench.me, name(), text))
    results = await bench.send(order)
    item = await bench.partner.arrived(text, ARRIVES_WITHIN)
    expect(item, f"the message did not come to the other SAMU within {ARRIVES_WITHIN:.0f} s")
    got = messages.use_case(item["content"]) if item else {}
    found = differences(await bench.at_partner(order), got)
    expect(not found, f"the message arrived with differences at {', '.join(found[:5])}")
    if results:
        expect(results[0].get("accepted") is True, "the software does not say that its message was accepted")


async def accents(bench: SoftwareBench) -> None:
    """Accents, emoji, no-break spaces and combining characters arrive as they were written."""
    text = marker()
    await bench.send(await bench.order(messages.case(bench.me, name(), f"{text} {messages.ACCENTS}")))
    item = await bench.partner.arrived(text, ARRIVES_WITHIN)
    if item is None:
        raise Skipped("the message did not arrive, which the check `delivery` judges")
    got = messages.use_case(item["content"])["createCaseHealth"]["medicalNote"][0]["freetext"]
    expect(
        got == f"{text} {messages.ACCENTS}",
        f"the text arrived changed, at {first_difference(f'{text} {messages.ACCENTS}', got)}",
    )


async def resend(bench: SoftwareBench) -> None:
    """What got no answer, 503 or 429 is sent again until it is accepted."""
    lost = [one.name for one in await interruptions(bench) if not one.repeats or not one.arrived]
    expect(not lost, f"not sent again until accepted, so the message is lost, after: {', '.join(lost)}")


async def same_id(bench: SoftwareBench) -> None:
    """What is sent again has the same distributionID and the same bytes: the gateway then knows it."""
    repeated = [one for one in await interruptions(bench) if one.repeats]
    if not repeated:
        raise Skipped(JUDGED_ELSEWHERE)
    for one in repeated:
        first = one.attempts[0]
        for again in one.repeats:
            expect(
                again.distribution_id == first.distribution_id,
                f"after {one.name} the message was sent again under another distributionID: it is now two messages",
            )
            expect(
                again.body == first.body,
                f"after {one.name} the message was sent again with other bytes: that is a 409",
            )


async def retry_after(bench: SoftwareBench) -> None:
    """After 429 and 503 nothing is sent again before Retry-After is over."""
    told = [one for one in await interruptions(bench) if one.name != "lost answer" and one.repeats]
    if not told:
        raise Skipped(JUDGED_ELSEWHERE)
    for one in told:
        waited = one.attempts[1].at - one.attempts[0].at
        expect(
            waited >= PAUSE - MARGIN,
            f"after {one.name} with Retry-After: {PAUSE} it was sent again after {waited:.2f} s",
        )


async def replayed(bench: SoftwareBench) -> None:
    """A 200 with `duplicate` is a success: the message was accepted the first time."""
    for one in await interruptions(bench):
        if one.name == "lost answer":
            if one.accepted is None or not any(seen.status == 200 for seen in one.repeats):
                raise Skipped("no repeated receipt was seen, or the software gave no result")
            expect(one.accepted, "the software takes a repeated receipt (200, duplicate) for a failure")


async def refused(bench: SoftwareBench) -> None:
    """What the gateway refuses for good is not sent again under the same id, and is told as refused."""
    for status, code, verb in (
        (422, "invalid-message", "new-id"),
        (410, "expired", "new-id"),
        (422, "untranslatable", "never"),
    ):
        text = marker()
        fault = faults.refuse(faults.sending(text), status, code, verb)
        with bench.proxy.failing(fault):
            results = await bench.send(await bench.order(messages.case(bench.me, name(), text)))
            await asyncio.sleep(SETTLE / 2)
        attempts = bench.attempts(text)
        expect(attempts, "the message was never sent")
        again = [seen for seen in attempts[1:] if seen.distribution_id == attempts[0].distribution_id]
        expect(
            not again, f"after {status} with retry {verb} the same message was sent again {len(again)} times"
        )
        if results:
            expect(results[0].get("accepted") is False, f"the software takes {status} for a success")


async def order(bench: SoftwareBench) -> None:
    """Messages of a case are accepted in the order in which they were written, trouble on the way or not."""
    case, texts = name(), [marker() for _ in range(4)]
    contents = [
        messages.case(bench.me, case, texts[0]),
        *(messages.update(bench.me, case, text) for text in texts[1:]),
    ]
    trouble = faults.refuse(faults.sending(texts[1]), 503, "overloaded", "after", retry_after="1")
    with bench.proxy.failing(trouble):
        await bench.send(*[await bench.order(content) for content in contents])
        for text in texts:
            await bench.attempts_until_accepted(text, SETTLE)
    accepted = {
        text: [seen.at for seen in bench.attempts(text) if seen.status in {200, 202}] for text in texts
    }
    came = sorted((min(at), texts.index(text)) for text, at in accepted.items() if at)
    numbers = [number + 1 for _, number in came]
    expect(numbers, "none of four messages was accepted")
    expect(numbers == sorted(numbers), f"four messages of a case were accepted in the order {numbers}")


async def answers(bench: SoftwareBench) -> None:
    """A recipient's refusal is shown as one, however it is said; of several answers the last counts."""
    replies: dict[str, tuple[tuple[JsonObject, ...], str]] = {
        "an RC-REF": ((ACK,), ACKNOWLEDGED),
        "an RC-REF with refused": ((REFUSAL,), REFUSED),
        "an RC-REF, then one with refused": ((ACK, REFUSAL), REFUSED),
        "an RC-REF with refused, then one without": ((REFUSAL, INTEGRATED), ACKNOWLEDGED),
        "an RS-ERROR of the recipient": ((), REFUSED),
    }
    if bench.access.model_version in HAVE_STEP:
        replies["an RC-REF with step ERREUR"] = (({"step": "ERREUR", "refused": False},), REFUSED)
    expected: dict[str, tuple[str, str]] = {}
    asked = []
    for kind, (wishes, status) in replies.items():
        text = marker()
        await bench.send(await bench.order(messages.case(bench.me, name(), text)))
        item = await bench.partner.arrived(text, ARRIVES_WITHIN)
        if item is None:
            raise Skipped("a message did not arrive, which the check `delivery` judges")
        for wish in wishes:
            await bench.partner.acknowledge(item, **wish)
        if not wishes:
            await bench.partner.send_error(item)
        expected[item["distributionID"]] = kind, status
        asked.append({"distributionID": item["distributionID"], "text": text})
    shown = await shown_statuses(bench, asked, {one: status for one, (_, status) in expected.items()})
    for one, (kind, status) in expected.items():
        expect(
            shown.get(one) == status,
            f"after {kind} the software shows {shown.get(one)!r}; {status!r} is expected",
        )


async def shown_statuses(
    bench: SoftwareBench, asked: list[JsonObject], expected: dict[str, str]
) -> dict[str, str]:
    """What the software says of its messages, once that is as expected or the time for it is over."""
    deadline = time.monotonic() + (0 if bench.subject.by_hand else ARRIVES_WITHIN)
    while True:
        if not bench.subject.by_hand:
            await bench.do("receive", count=1, seconds=1)
        told = (await bench.do("status", messages=asked)).get("statuses") or []
        shown = {str(one.get("distributionID")): str(one.get("status")) for one in told}
        if shown == expected or time.monotonic() > deadline:
            return shown


async def growth(bench: SoftwareBench) -> None:
    """Members of answers that the software does not know are passed over."""
    text = marker()
    with bench.proxy.failing(faults.grown(lambda seen: seen.path.startswith("/v1/"))):
        results = await bench.send(await bench.order(messages.case(bench.me, name(), text)))
        attempts = await bench.attempts_until_accepted(text, SETTLE)
    expect(any(seen.status == 202 for seen in attempts), "the message was not accepted")
    expect(len(attempts) == 1, "a receipt with a member that it does not know made the software send again")
    if results:
        expect(
            results[0].get("accepted") is True,
            "the software takes a receipt with an unknown member for a failure",
        )


async def renewal(bench: SoftwareBench) -> None:
    """A token that is no longer good is renewed, and the message sent again."""
    text = marker()
    trouble = faults.refuse(
        faults.sending(text),
        401,
        "unauthenticated",
        "same-id",
        www_authenticate='Bearer error="invalid_token"',
    )
    before = len(bench.proxy.seen)
    with bench.proxy.failing(trouble):
        await bench.send(await bench.order(messages.case(bench.me, name(), text)))
        attempts = await bench.attempts_until_accepted(text, SETTLE)
    expect(
        any(seen.status in {200, 202} for seen in attempts[1:]),
        "after 401 the message was not sent again: it is lost",
    )
    asked = [
        seen
        for seen in bench.proxy.seen[before:]
        if seen.path == "/oauth2/token" and seen.client == bench.access.client_id
    ]
    expect(asked, "after 401 no new token was asked for")


async def token_reuse(bench: SoftwareBench) -> None:
    """A token serves until it expires: it is not asked for again with every message."""
    texts = [marker() for _ in range(6)]
    before = len(bench.proxy.seen)
    await bench.send(*[await bench.order(messages.case(bench.me, name(), text)) for text in texts])
    asked = [
        seen
        for seen in bench.proxy.seen[before:]
        if seen.path == "/oauth2/token" and seen.client == bench.access.client_id
    ]
    expect(len(asked) <= 2, f"{len(asked)} tokens were asked for to send {len(texts)} messages")


async def rotation(bench: SoftwareBench) -> None:
    """A new key of the client is taken into use without an interruption."""
    text, new = marker(), bench.spare_key
    told = await bench.do("rotate-key", privateKey=new)
    expect(told.get("done") is True, "the answer to rotate-key is not done: true")
    trouble = faults.refuse(
        faults.sending(text),
        401,
        "unauthenticated",
        "same-id",
        www_authenticate='Bearer error="invalid_token"',
    )
    before = len(bench.proxy.seen)
    with bench.proxy.failing(trouble):
        await bench.send(await bench.order(messages.case(bench.me, name(), text)))
        attempts = await bench.attempts_until_accepted(text, SETTLE)
    asked = [
        seen
        for seen in bench.proxy.seen[before:]
        if seen.path == "/oauth2/token" and seen.client == bench.access.client_id
    ]
    used = [assertion_part(seen.body, 0).get("kid") for seen in asked]
    expect(new["kid"] in used, "after rotate-key no token was asked for with the new key")
    expect(
        any(seen.status in {200, 202} for seen in attempts), "after the rotation the message was not accepted"
    )


async def secrets(bench: SoftwareBench) -> None:
    """No secret and no token ever stands in a URL. Runs last, over all that was seen."""
    held = {bench.access.client_secret, "access_token", "client_secret", "client_assertion"}
    held |= {seen.headers.get("authorization", "").partition(" ")[2] for seen in bench.proxy.seen}
    for seen in bench.proxy.seen:
        shown = f"{seen.path}?{seen.query}"
        expect(
            not any(secret and secret in shown for secret in held),
            f"{seen.method} {seen.path}: a secret in the URL, where logs keep it",
        )


async def interruptions(bench: SoftwareBench) -> tuple[Interruption, ...]:
    """Three messages, each of which meets one trouble; played once."""
    if not bench.interruptions:
        kinds: dict[str, Callable[[str], Fault]] = {
            "lost answer": lambda text: faults.lost_answer(faults.sending(text)),
            "503": lambda text: faults.refuse(
                faults.sending(text), 503, "overloaded", "after", retry_after=str(PAUSE)
            ),
            "429": lambda text: faults.refuse(
                faults.sending(text), 429, "quota-exceeded", "after", retry_after=str(PAUSE)
            ),
        }
        bench.interruptions = tuple([await interrupted(bench, kind, make) for kind, make in kinds.items()])
    return bench.interruptions


async def interrupted(bench: SoftwareBench, kind: str, make: Callable[[str], Fault]) -> Interruption:
    """One of them."""
    text = marker()
    with bench.proxy.failing(make(text)):
        results = await bench.send(await bench.order(messages.case(bench.me, name(), text)))
        accepted = bool(results[0].get("accepted")) if results else None
        attempts = await bench.attempts_until_accepted(text, SETTLE if accepted is False else ARRIVES_WITHIN)
    return Interruption(kind, attempts, accepted)


def name() -> str:
    """A case's own name, a lane of its own."""
    return f"CONFORMANCE{messages.fresh_name()}"


def first_difference(wanted: str, got: str) -> str:
    """Where two texts part."""
    at = next(
        (n for n, (w, g) in enumerate(zip(wanted, got, strict=False)) if w != g), min(len(wanted), len(got))
    )
    return f"character {at + 1}: expected {wanted[at : at + 4]!a}, got {got[at : at + 4]!a}"


CHECKS: tuple[Check[SoftwareBench], ...] = (
    Check("delivery", "A message arrives as it was written", ("sender.delivery",), delivery),
    Check("accents", "Every character arrives", ("sender.characters",), accents),
    Check("resend", "What was not accepted is sent again", ("sender.resend",), resend),
    Check("same-id", "Sent again means the same id and bytes", ("sender.same-id",), same_id),
    Check("retry-after", "Retry-After is heeded", ("sender.retry-after",), retry_after),
    Check("repeated-receipt", "A repeated receipt is a success", ("sender.replay",), replayed),
    Check("refused", "What is refused is not sent again", ("sender.refusal",), refused),
    Check("order", "A case goes out in order", ("sender.order",), order, ("RS-EDA", "RS-EDA-MAJ")),
    Check("answers", "A refusal is told from an acknowledgement", ("sender.answers",), answers),
    Check("growth-sending", "Unknown members of a receipt are passed over", ("sender.growth",), growth),
    Check("token-renewal", "A token is renewed", ("sender.token-renewal",), renewal),
    Check("token-reuse", "A token is used until it expires", ("sender.token-reuse",), token_reuse),
    Check("key-rotation", "A new key is taken into use", ("sender.key-rotation",), rotation),
)
LAST: tuple[Check[SoftwareBench], ...] = (
    Check("secrets", "No secret stands in a URL", ("sender.secrets",), secrets),
)
