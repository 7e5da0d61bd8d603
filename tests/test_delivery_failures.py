"""A defect of the gateway's own while it delivers: that message ends as a dead letter, and nobody else notices."""

import asyncio
import errno
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway import edxl, translation
from gateway.app import create_app
from gateway.model import JsonObject, Publisher
from gateway.registry import Registry, RegistryHolder
from gateway.runtime import Runtime
from tests.house import BASE, PUBLISHERS, House, case, house, publisher
from tests.patience import until

SEED = "Zébulon-Patient-7731"
TIMES = 200
SAMU, PEER = "fr.health.samu440", "fr.health.samu750"


class Failing:
    """A part of the gateway of which one method fails for some distributionIDs, as a defect would."""

    def __init__(self, part: Any, method: str, broken: set[str], error: Exception | None = None) -> None:
        self._part, self._method, self._broken = part, method, broken
        self._error = error or KeyError(SEED)

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._part, name)
        if name != self._method:
            return real

        async def method(*args: Any, **more: Any) -> Any:
            if any(getattr(argument, "distribution_id", "") in self._broken for argument in args):
                raise self._error
            return await real(*args, **more)

        return method


class FailingRegistry(RegistryHolder):
    """A registry that fails when it is asked for one recipient's publisher."""

    def __init__(self, registry: Registry, recipient: str) -> None:
        super().__init__(registry)
        self.recipient = recipient

    @property
    def current(self) -> Any:
        holder = self

        class Current:
            def __getattr__(self, name: str) -> Any:
                return getattr(holder.registry, name)

            def recipient_publisher(self, actor_id: str) -> Publisher | None:
                if actor_id == holder.recipient:
                    raise RuntimeError(SEED)
                return holder.registry.recipient_publisher(actor_id)

        return Current()

    @current.setter
    def current(self, registry: Registry) -> None:
        self.registry = registry


@asynccontextmanager
async def served(gateway: House, runtime: Runtime) -> AsyncIterator[House]:
    """The same gateway with another part in it."""
    transport = httpx.ASGITransport(create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield replace(gateway, runtime=runtime, client=client)


def bundle(number: int, recipient: str = PEER) -> JsonObject:
    return translation.to_fhir(edxl.message(case(number, recipient), "v3"))


async def errors_sent(gateway: House, count: int) -> list[str]:
    """The messages that RS-ERRORs 600 were sent about, once so many were."""

    def about() -> list[str]:
        found = [translation.describe(one) for one in gateway.core.bundles]
        return [one.refers_to for one in found if one.message_type == "RS-ERROR"]

    await until(lambda: len(about()) >= count)
    return about()


async def test_one_that_fails_again_and_again_keeps_no_other_waiting(
    tmp_path: Path, lines: io.BytesIO
) -> None:
    """200 broken deliveries among 200 good ones to the same recipient, several at a time."""
    async with house(tmp_path, retry_base=0.01) as plain:
        broken = {f"{SAMU}_{number}" for number in range(0, 2 * TIMES, 2)}
        failing: Any = Failing(plain.runtime.store, "deposit", broken)
        async with served(plain, replace(plain.runtime, store=failing)) as gateway:
            headers = {"Content-Type": "application/fhir+json", **await gateway.core_token()}

            async def deliver(number: int) -> int:
                answer = await gateway.client.post(
                    "/core/$process-message", content=orjson.dumps(bundle(number)), headers=headers
                )
                assert answer.json()["resourceType"] == "OperationOutcome" and SEED not in answer.text
                return answer.status_code

            found: list[int] = []
            for start in range(0, 2 * TIMES, 8):
                found += await asyncio.gather(*map(deliver, range(start, start + 8)))
            assert found == [422, 200] * TIMES
            items = await gateway.inbox("peer", "?limit=1000")
            assert len(items) == TIMES and not broken & {item["distributionID"] for item in items}
            assert sorted(await errors_sent(gateway, TIMES)) == sorted(broken)
    assert SEED not in lines.getvalue().decode() and b"delivery_failed" in lines.getvalue()


@pytest.mark.parametrize(
    "step",
    ["recipient", "version", "format", "read before", "deposit"],
    ids=lambda step: step.replace(" ", "-"),
)
async def test_a_defect_in_any_step_is_a_dead_letter_and_an_error(tmp_path: Path, step: str) -> None:
    """The sender's message was forwarded; its delivery fails: RS-ERROR 600, dead letter, 422 to the core."""
    fire = "fr.fire.nexsis.sdisZ"
    wrong: dict[str, Any] = {"version": {"model_version": "v9"}, "format": {"format": "yaml"}}.get(step, {})
    people = (PUBLISHERS[0], publisher("peer", (PEER,), (PEER,), **wrong), PUBLISHERS[2])
    async with house(tmp_path, people, retry_base=0.01) as plain:
        document = case(1)
        runtime = plain.runtime
        if step == "recipient":
            runtime = replace(runtime, registry=FailingRegistry(runtime.registry.current, PEER))
        if step == "deposit":
            store: Any = Failing(runtime.store, "deposit", {document["distributionID"]})
            runtime = replace(runtime, store=store)
        if step == "read before":
            store = Failing(runtime.store, "case_history", {""})
            runtime = replace(runtime, store=store)
            document = status(fire)
        sent = await plain.send(document)
        assert sent.status_code == 202, sent.text
        (brought,) = await until(lambda: plain.core.bundles)
        async with served(plain, runtime) as gateway:
            for _ in range(2):  # the core may try again
                answer = await gateway.deliver(brought)
                assert answer.status_code == 422, answer.text
        assert await errors_sent(plain, 1) == [document["distributionID"]]
        (letter,) = await plain.runtime.store.dead_letters(10)
        assert letter.distribution_id == document["distributionID"]
        status_of = (await plain.client.get(sent.headers["Location"], headers=await plain.token())).json()
        assert status_of["status"] == "dead"


async def test_a_failure_of_the_machine_is_no_dead_letter(tmp_path: Path, lines: io.BytesIO) -> None:
    """It says nothing about the message: the core brings it again."""
    async with house(tmp_path, retry_base=0.01) as plain:
        document = case(1)
        full = OSError(errno.EMFILE, SEED)
        store: Any = Failing(plain.runtime.store, "deposit", {document["distributionID"]}, full)
        async with served(plain, replace(plain.runtime, store=store)) as gateway:
            answer = await gateway.deliver(bundle(1))
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1"), answer.text
            assert "EMFILE" in answer.text and SEED not in answer.text
        assert (await plain.deliver(bundle(1))).status_code == 200
        assert await plain.runtime.store.dead_letters(10) == []
        assert plain.core.bundles == []
    assert b"EMFILE" in lines.getvalue() and SEED not in lines.getvalue().decode()


async def test_one_with_a_byte_order_mark_is_reported_too(tmp_path: Path) -> None:
    async with house(tmp_path, retry_base=0.01) as gateway:
        headers = {"Content-Type": "application/fhir+json", **await gateway.core_token()}
        body = b"\xef\xbb\xbf" + orjson.dumps(bundle(7, "fr.health.samu999"))
        answer = await gateway.client.post("/core/$process-message", content=body, headers=headers)
        assert answer.status_code == 422, answer.text
        assert await errors_sent(gateway, 1) == [f"{SAMU}_7"]


def status(recipient: str) -> JsonObject:
    """An RS-SR, for which the store is asked for what the recipient was sent before."""
    document = case(1, recipient)
    state = {"datetime": "2026-11-24T10:00:00+01:00", "status": "RETOUR"}
    message = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    del message["createCaseHealth"]
    message["resourcesStatus"] = {
        "caseId": "fr.health.samu440.DRFR15", "resourceId": f"{SAMU}.resource.VLM1", "state": state,
    }  # fmt: skip
    return document
