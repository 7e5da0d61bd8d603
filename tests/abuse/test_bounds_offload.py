"""Large bodies are worked on in worker processes, with the same answers, and whatever becomes of a worker."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import pytest
from httpx import AsyncClient, Response

from gateway import edxl, translation, workbench
from gateway.app import create_app
from gateway.edxl import xml_writer
from gateway.errors import Unavailable
from gateway.model import Limits
from gateway.observability import METRICS
from gateway.offload import LONGEST, LOOK, WAITING, Offload, is_heavy, is_heavy_to_translate
from tests.abuse.wire import listening
from tests.error_examples import PATIENT
from tests.house import House, case, house, publisher
from tests.patience import GIVE_UP, until, until_told
from tests.test_hostile import bundle_of

SLOW = 0.3  # seconds of made-up work


@asynccontextmanager
async def opened(workers: int = 2, longest: float = LONGEST) -> AsyncIterator[Offload]:
    offload = Offload(workers, longest)
    offload.start(workbench.warm)
    try:
        yield offload
    finally:
        await offload.close()


def done(work: str) -> float:
    return METRICS.get_sample_value("gateway_offloaded_total", {"work": work}) or 0.0


# The same answers as in the loop

PATIENTS = [{**PATIENT, "patientId": f"fr.health.samu440.patient.{number}"} for number in range(200)]
CASE = case(1, patient=PATIENTS)
BODIES: dict[str, tuple[bytes, str]] = {
    "valid": (orjson.dumps(CASE), "application/json"),
    "XML": (xml_writer.encode(CASE, "v3").content, "application/xml"),
    "XML of many elements": (
        xml_writer.encode(case(), "v3").content.replace(b"<caseId>", b"<x/>" * 2_500 + b"<caseId>"),
        "application/xml",
    ),
    "unreadable": (b"{" * 20_000, "application/json"),
    "a member twice": (orjson.dumps(CASE).replace(b'"owner"', b'"owner":"","owner"', 1), "application/json"),
    "many issues": (orjson.dumps(case(1, patient=[{"sex": "H"}] * 2_000)), "application/json"),
    "few bytes of many issues": (orjson.dumps(case(1, patient=[{"sex": "H"}] * 400)), "application/json"),
    "many items": (orjson.dumps({**case(), "content": [1] * 20_000}), "application/json"),
}
PATHS = ("/v1/messages/$validate", "/v1/messages", "/v1/messages/$translate?to=RS-EDA&version=v2")


async def answers(gateway: House) -> dict[tuple[str, str], tuple[int, Any]]:
    given = {}
    for name, (body, media_type) in BODIES.items():
        for path in PATHS:
            headers = {"Content-Type": media_type, **await gateway.token()}
            answer = await gateway.client.post(path, content=body, headers=headers)
            told = answer.json()
            for varying in ("id", "receivedAt"):
                told.pop(varying, None)
            given[name, path] = answer.status_code, told
    return given


async def test_the_answers_are_those_of_the_loop(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with house(tmp_path / "a") as gateway:
        inline = await answers(gateway)
    judged, translated, made = done("judged"), done("answered") + done("brief_of"), done("to_bundle")
    async with house(tmp_path / "b", heavy_workers=2) as gateway:
        gateway.runtime.offload.start(workbench.warm)
        assert await answers(gateway) == inline
        await until(lambda: gateway.core.bundles)
        assert len(gateway.core.bundles[0]["entry"]) > 200
    assert inline["valid", "/v1/messages"][0] == 202
    assert inline["many issues", "/v1/messages"][0] == 422
    assert done("judged") - judged >= 13  # each but the small one twice, that one when it has told a few
    # one of them is refused before, when its case is looked for
    assert done("answered") + done("brief_of") - translated >= 7
    assert done("to_bundle") - made >= 1


async def test_a_large_bundle_is_delivered_from_a_worker(tmp_path: Path) -> None:
    async with house(tmp_path, heavy_workers=2) as gateway:
        bundle = await bundle_of(gateway, CASE)
        gateway.runtime.offload.start(workbench.warm)
        before = done("deliveries_of")
        assert (await gateway.deliver(bundle)).status_code == 200
        assert done("deliveries_of") == before + 1
        (item,) = await gateway.inbox("peer")
        assert item["content"] == CASE


async def test_a_large_bundle_that_is_refused_is_reported_from_a_worker(tmp_path: Path) -> None:
    async with house(tmp_path, heavy_workers=2) as gateway:
        document = case(1, "fr.health.samu999", patient=PATIENTS)
        gateway.runtime.offload.start(workbench.warm)
        before = done("described")
        bundle = translation.to_fhir(edxl.message(document, "v3"))
        assert (await gateway.deliver(bundle)).status_code == 422
        assert done("described") == before + 1


@pytest.mark.parametrize("path", PATHS)
async def test_no_more_bodies_are_read_at_once_than_may_be_under_way(tmp_path: Path, path: str) -> None:
    one = publisher("lrm", ("fr.health.samu440",), (), limits=Limits(in_flight=1))
    async with house(tmp_path, (one,)) as gateway:
        headers = {"Content-Type": "application/json", **await gateway.token()}
        began, end = asyncio.Event(), asyncio.Event()

        async def half() -> AsyncIterator[bytes]:
            began.set()
            yield b"{"
            await end.wait()

        app = create_app(gateway.runtime)
        async with (
            listening(app) as port,
            AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            first = asyncio.create_task(client.post(path, content=half(), headers=headers))
            await began.wait()
            await until_told(lambda: client.post(path, content=b"{}", headers=headers), is_refused)
            end.set()
            assert (await first).status_code != 429
            assert (await client.post(path, content=b"{}", headers=headers)).status_code != 429


def is_refused(answer: Response) -> bool:
    return answer.status_code == 429 and answer.headers["Retry-After"] == "1"


def test_ordinary_messages_stay_in_the_loop() -> None:
    for path in sorted((Path(__file__).parent.parent / "cases").glob("*/*/in.json")):
        body = orjson.dumps(orjson.loads(path.read_bytes()))
        assert not is_heavy(body, "application/json") or len(body) > 12_288
        assert not is_heavy_to_translate(body, "application/json") or len(body) > 12_288, path


# Workers


async def test_work_is_done_in_another_process_that_is_nice() -> None:
    async with opened() as offload:
        assert await offload.run("a", False, os.getpid) != os.getpid()
        assert await offload.run("a", False, os.nice, 0) == min(19, os.nice(0) + 10)


async def test_an_error_comes_back_as_it_was_raised() -> None:
    async with opened(1) as offload:
        with pytest.raises(ValueError, match="invalid literal"):
            await offload.run("a", False, int, "x")


async def test_a_worker_that_dies_is_replaced_and_its_work_done_again() -> None:
    async with opened(1) as offload:
        first = await offload.run("a", False, os.getpid)
        work = asyncio.create_task(offload.run("a", False, time.sleep, SLOW))
        await asyncio.sleep(SLOW / 3)
        os.kill(first, signal.SIGKILL)
        await work
        assert await offload.run("a", False, os.getpid) != first


async def test_a_body_that_kills_its_worker_is_refused_for_now_and_others_go_on() -> None:
    async with opened(1) as offload:
        with pytest.raises(Unavailable) as refusal:
            await offload.run("a", False, os._exit, 1)
        assert refusal.value.headers["Retry-After"]
        assert await offload.run("b", False, os.getpid)


def die_in_the_middle(of: int) -> bytes:
    """Give a result of which only the first bytes leave this process: it is killed while it writes them."""

    def half(connection: Connection, written: bytes) -> None:
        os.write(connection.fileno(), bytes(written)[: len(written) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    Connection._send = half  # type: ignore[attr-defined]  # of this worker alone
    return bytes(of)


async def test_a_worker_that_dies_while_it_writes_its_result_holds_up_nobody() -> None:
    async with opened(2) as offload, asyncio.timeout(GIVE_UP):
        with pytest.raises(Unavailable):
            await offload.run("a", False, die_in_the_middle, 1_000_000)
        assert await offload.run("a", False, os.getpid)


async def test_a_worker_that_works_for_ever_is_ended() -> None:
    async with opened(1, longest=LOOK) as offload, asyncio.timeout(GIVE_UP):
        first = await offload.run("a", False, os.getpid)
        with pytest.raises(Unavailable):
            await offload.run("a", False, time.sleep, GIVE_UP)
        assert await offload.run("a", False, os.getpid) not in (first, os.getpid())


def begin_where(file: str) -> None:
    """End this worker unless a file is there."""
    if not Path(file).exists():
        os._exit(1)


async def test_workers_that_could_not_be_made_are_tried_again(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    offload = Offload(1, closed=0)
    offload.start(partial(begin_where, str(allowed)))
    try:
        assert await offload.run("a", False, os.getpid) == os.getpid()
        allowed.touch()
        await offload.run("a", False, os.getpid)  # it may be the one that has them made
        assert await offload.run("a", False, os.getpid) != os.getpid()
    finally:
        await offload.close()


async def test_urgent_work_and_other_owners_do_not_wait_for_a_flood() -> None:
    async with opened(2) as offload:
        ended: list[str] = []

        async def work(name: str, owner: str, urgent: bool) -> None:
            await offload.run(owner, urgent, time.sleep, SLOW if owner.startswith("flood") else 0.0)
            ended.append(name)

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(work(f"flood {number}", f"flood {number % 2}", urgent=False))
            await asyncio.sleep(SLOW / 3)
            group.create_task(work("urgent", "other", urgent=True))
            group.create_task(work("ordinary", "another", urgent=False))
        assert ended[0] == "urgent"
        assert ended.index("ordinary") < 4


async def test_one_owner_has_room_for_so_many_and_no_more() -> None:
    async with opened(1) as offload:
        works = [asyncio.create_task(offload.run("a", False, time.sleep, 0.0)) for _ in range(WAITING + 5)]
        came = await asyncio.gather(*works, return_exceptions=True)
        assert sum(isinstance(one, Unavailable) for one in came) == 5
        assert await offload.run("a", False, os.getpid)


async def test_a_request_that_goes_away_keeps_its_place_until_its_work_is_done() -> None:
    async with opened(1) as offload:
        gone = asyncio.create_task(offload.run("a", False, time.sleep, SLOW))
        await asyncio.sleep(SLOW / 3)
        gone.cancel()
        await asyncio.wait([gone])
        assert offload._any.locked()
        await offload.run("b", False, os.getpid)
        assert not offload._any.locked()


async def test_without_workers_the_work_is_done_at_once() -> None:
    offload = Offload(0)
    offload.start(workbench.warm)
    assert await offload.run("a", False, os.getpid) == os.getpid()
    await offload.close()


PROGRAM = """
import asyncio, os
from gateway import workbench
from gateway.offload import Offload
async def main():
    offload = Offload(2)
    offload.start(workbench.warm)
    print(await offload.run("a", False, os.getpid), flush=True)
    await asyncio.Event().wait()
if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_no_worker_outlives_a_gateway_that_was_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, str(program), stdout=subprocess.PIPE, env=environ
    )
    assert gateway.stdout is not None
    async with asyncio.timeout(GIVE_UP):
        worker = int(await gateway.stdout.readline())
        gateway.kill()
        await gateway.wait()
    await until(lambda: not Path(f"/proc/{worker}").exists() or b"Z" in status(worker))


def status(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return b"Z"
