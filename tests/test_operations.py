"""docs/operations.md: its shell blocks run, its table of settings is complete, and its claims hold."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway import oauth2, service, settings
from gateway.__main__ import cli as cli_app
from gateway.errors import CoreOutage
from gateway.model import Status
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.webhooks import load_webhook_keys
from tests.house import ASSERTION, BASE, NOW, House, case, house
from tests.patience import until, until_told
from tests.store_samples import LIMIT, opened, status, submission, url
from tests.test_store_sqlite import writer

PAGE = (Path(__file__).parent.parent / "docs" / "operations.md").read_text(encoding="utf-8")
KEYS, BACKUP, RESTORE = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def shell(block: str, folder: Path) -> str:
    """Run a block of the page as it stands, with this interpreter as python3."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", block], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def cli(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "GATEWAY_DATABASE_URL": "sqlite:///backup.db"}
    command = [sys.executable, "-m", "gateway", *arguments]
    environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_every_setting_is_in_the_table() -> None:
    shown = PAGE.partition("<!-- settings")[2].partition("\n")[2].partition("\n<!-- end of settings")[0]
    rows = [
        f"| `{row['variable']}` | {row['default'] and '`' + row['default'] + '`'} | {row['help']} |"
        for row in settings.rows({})
    ]
    assert shown.splitlines() == ["| variable | default | meaning |", "|---|---|---|", *rows]


def test_the_keys_that_the_page_makes_serve(tmp_path: Path) -> None:
    shell(KEYS, tmp_path)
    made = Settings(
        signing_keys_file=tmp_path / "signing.json",
        core_jwks_file=tmp_path / "client-public.json",
        client_key_file=tmp_path / "client.json",
    )
    keys = service.read_keys(made)
    assert len(keys.signing.keys) == 1
    assert oauth2.load_private_key((tmp_path / "client.json").read_bytes()).is_private
    public = orjson.loads((tmp_path / "client-public.json").read_bytes())["keys"][0]
    assert public["kid"] and "d" not in public
    assert (tmp_path / "signing.json").stat().st_mode & 0o077 == 0
    assert load_webhook_keys((tmp_path / "webhooks.json").read_bytes()).public()["keys"]


async def test_a_backup_under_load_holds_every_receipt_given_before(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        before = [(await store.enqueue(submission(n), NOW)).id for n in range(200)]
        loading = asyncio.create_task(load(store))
        told = await asyncio.to_thread(shell, BACKUP, tmp_path)
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)
        assert (await store.enqueue(submission(9_999), NOW)).id  # the writer went on
    assert told.split() == ["ok"]
    assert (tmp_path / "backup.db").stat().st_mode & 0o077 == 0
    shell(RESTORE, tmp_path)
    async with opened(tmp_path) as store:
        for receipt in before:
            assert await status(store, receipt) is Status.RECEIVED
        again = await store.enqueue(submission(7), NOW)
        assert (again.id, again.duplicate) == (before[7], True)
        jobs = await store.claim(NOW, LIMIT)
        assert {job.id for job in jobs} >= set(before)
        assert jobs[0].submission.body == submission(0).body
    restored = await open_store(url(tmp_path), backlog_limit=LIMIT, now=NOW)
    assert await restored.is_writable(NOW)
    await restored.close()


async def load(store: Store) -> None:
    """Write without a pause."""
    number = 1_000
    while True:
        await store.enqueue(submission(number), NOW)
        number += 1


async def test_dead_letters_are_listed_from_a_backup_while_the_gateway_runs(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        receipt = await store.enqueue(submission(1), NOW)
        await store.claim(NOW, 1)
        await store.reject(receipt.id, NOW, Status.DEAD, "It could not be translated.", None)
        await asyncio.to_thread(shell, BACKUP, tmp_path)
        listed = await asyncio.to_thread(cli, tmp_path, "dead-letters", "--json")
        assert [letter["id"] for letter in orjson.loads(listed.stdout)] == [receipt.id], listed.stderr
        (tmp_path / "backup.db").unlink()
        (tmp_path / "backup.db").symlink_to(tmp_path / "gateway.db")
        (tmp_path / "backup.db.lock").unlink()
        (tmp_path / "backup.db.lock").symlink_to(tmp_path / "gateway.db.lock")
        refused = await asyncio.to_thread(cli, tmp_path, "replay", receipt.id)
        assert refused.returncode == 1 and "another process has this database open" in refused.stderr


async def metric(gateway: House, name: str) -> float:
    text = (await gateway.operations.get("/metrics")).text
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def wait_status(gateway: House, receipt: httpx.Response, wanted: str) -> None:
    async def ask() -> Any:
        return (await gateway.client.get(receipt.headers["location"], headers=await gateway.token())).json()

    await until_told(ask, lambda told: told["status"] == wanted)


async def test_an_hour_without_the_core_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    async with house(tmp_path, retry_base=60.0) as gateway:
        gateway.core.trouble += [CoreOutage("HTTP 503")] * 2
        first = await gateway.send(case(1))
        second = await gateway.send(case(2))
        short = {**case(3, caseId="fr.health.samu440.OTHER"), "dateTimeExpires": "2026-11-24T10:30:00+00:00"}
        third = await gateway.send(short)
        assert [a.status_code for a in (first, second, third)] == [202, 202, 202]
        await until(lambda: not gateway.core.trouble)
        await until_told(lambda: metric(gateway, "gateway_core_up"), lambda up: up == 0)
        await until_told(lambda: metric(gateway, "gateway_backlog"), lambda backlog: backlog == 3)
        assert (await gateway.client.get("/health/ready")).status_code == 200
        gateway.clock.now += 3_600
        await wait_status(gateway, first, "forwarded")
        await wait_status(gateway, second, "forwarded")
        await wait_status(gateway, third, "expired")
        sent = [bundle["identifier"]["value"] for bundle in gateway.core.bundles]
        assert sent == ["fr.health.samu440_1", "fr.health.samu440_2"]
        (error,) = await gateway.inbox("lrm")
        assert error["messageType"] == "RS-ERROR"
        assert await metric(gateway, "gateway_core_up") == 1


async def test_retention_erases_what_is_finished_and_keeps_what_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        done, waiting = [await store.enqueue(submission(n), NOW) for n in (1, 2)]
        await store.claim(NOW, 1)
        await store.mark_forwarded(done.id, NOW)
        assert await store.erase(NOW + 1) == 1
        found = await store.find_receipt("north", "fr.health.samu440_1", submission(1).digest)
        assert found is not None and found.duplicate
        jobs = await store.claim(NOW, 10)
        assert [(job.id, job.submission.body) for job in jobs] == [(waiting.id, submission(2).body)]


@pytest.mark.parametrize("name", re.findall(r"`(gateway_[a-z_]+)", PAGE))
async def test_every_metric_that_the_page_names_is_there(tmp_path: Path, name: str) -> None:
    async with house(tmp_path) as gateway:
        text = (await gateway.operations.get("/metrics")).text
        assert re.search(rf"^# HELP {name} ", text, re.MULTILINE), name


async def test_without_a_disk_nothing_is_accepted_and_nothing_is_lost(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        kept = await gateway.send(case(1))
        await wait_status(gateway, kept, "forwarded")
        core_token = await gateway.core_token()
        writer(gateway.runtime.store).execute("PRAGMA query_only = ON")
        refused = await gateway.send(case(2))  # a token by secret is given all the same
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        deep = await gateway.operations.get("/health/deep")
        assert (deep.status_code, deep.json()["store"]) == (503, "not-writable")
        assert (await gateway.client.get("/health/ready")).status_code == 200
        assert (await gateway.client.get("/health/live")).status_code == 200
        bundle = orjson.dumps({**gateway.core.bundles[0]})
        headers = {"Content-Type": "application/fhir+json", **core_token}
        undelivered = await gateway.client.post("/core/$process-message", content=bundle, headers=headers)
        assert undelivered.status_code == 503
        key = oauth2.client_assertion(gateway.core_key, "national-core", BASE, gateway.clock())
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": key,
        }
        assert (await gateway.client.post("/oauth2/token", data=form)).status_code == 503
        assert (
            await gateway.client.get(kept.headers["location"], headers=await gateway.token())
        ).status_code == 200
        writer(gateway.runtime.store).execute("PRAGMA query_only = OFF")
        assert (await gateway.send(case(2))).status_code == 202
        deep = await gateway.operations.get("/health/deep")
        assert (deep.status_code, deep.json()["store"]) == (200, "writable")


async def test_a_clock_ahead_expires_and_one_that_steps_back_keeps_the_order(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        await gateway.send(case(1))
        gateway.clock.now -= 50
        await gateway.send(case(2))
        await until(lambda: len(gateway.core.bundles) == 2)
        sent = [bundle["identifier"]["value"] for bundle in gateway.core.bundles]
        assert sent == ["fr.health.samu440_1", "fr.health.samu440_2"]
        gateway.clock.now += 200_000
        late = await gateway.send(case(3))
        assert late.status_code == 410


def test_every_command_that_the_page_names_is_there() -> None:
    blocks = "\n".join(re.findall(r"^```(?:sh|console)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    named = set(re.findall(r"`(?:[A-Z_]+=\S+ )?gateway ([a-z-]+)", PAGE))
    named |= set(re.findall(r"^gateway ([a-z-]+)", blocks, re.MULTILINE))
    assert {"serve", "check", "erase", "replay", "conformance"} <= named
    known = {
        command.name or command.callback.__name__
        for command in cli_app.registered_commands
        if command.callback
    }
    known |= {str(group.name) for group in cli_app.registered_groups}
    assert named <= known


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"\b((?:deploy|bench)/[a-z_/.]+[a-z])", PAGE))
    assert len(named) > 4
    assert not [name for name in named if not (Path(__file__).parent.parent / name).exists()]


async def test_a_case_is_erased_on_request_and_nowhere_in_the_files(tmp_path: Path) -> None:
    marked = {"case_id": "ours", "body": b"Made-up health data " * 50}
    async with opened(f"sqlite:///{tmp_path / 'backup.db'}") as store:
        done = await store.enqueue(submission(1, **marked), NOW)
        await store.claim(NOW, 1)
        await store.mark_forwarded(done.id, NOW)
        waiting = await store.enqueue(submission(2, case_id="ours"), NOW)
        refused = await asyncio.to_thread(cli, tmp_path, "erase", "--case", "ours")
        assert refused.returncode == 1 and "another process has this database open" in refused.stderr
    told = await asyncio.to_thread(cli, tmp_path, "erase", "--case", "ours")
    assert (told.returncode, told.stdout) == (1, "1 contents erased, 1 left\n"), told.stderr
    assert not [file.name for file in tmp_path.iterdir() if b"Made-up health data" in file.read_bytes()]
    async with opened(f"sqlite:///{tmp_path / 'backup.db'}") as store:
        assert await status(store, done.id) is Status.FORWARDED
        (job,) = await store.claim(NOW, 1)
        assert (job.id, job.submission.body) == (waiting.id, submission(2).body)
