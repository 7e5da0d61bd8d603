"""Certification: from a signed report to the registration, and what the gateway takes of whom because of it."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from gateway import registry
from gateway.__main__ import cli
from gateway.errors import ConfigurationError
from gateway.model import Certification
from publishers.conformance import NAME, VERSION, report, software
from publishers.conformance.report import signature
from publishers.conformance.requirements import coverage, requirements
from publishers.conformance.results import Outcome, Report, Result
from publishers.conformance.software import scripts
from tests.house import NOW, House, case, house, publisher
from tests.strategies import enveloped

KEY = signature.new_key()
DIGEST = "ab" * 32
REGISTRATION = f'id = "lrm"\nname = "LRM"\nclient_id = "lrm"\nsecret_sha256 = "{DIGEST}"\n'
TABLE = f'[certification]\nreport = "{DIGEST}"\nvalid_until = 2027-11-24\ntypes = ["RS-EDA@v3"]\n'
ME, OTHER = "fr.health.samu440", "fr.health.samu750"


def certified(*types: str, until: float = NOW + 60) -> Any:
    return publisher("lrm", (ME,), (ME,), certification=Certification(DIGEST, until, types))


def gateway(folder: Path, *types: str, until: float = NOW + 60, required: bool = True) -> Any:
    publishers = (certified(*types, until=until), publisher("peer", (OTHER,), (OTHER,)))
    return house(folder, publishers, require_certification=required)


def codes(answer: httpx.Response) -> list[str]:
    return [issue["details"]["coding"][0]["code"] for issue in answer.json().get("issue", ())]


async def shown(running: House) -> list[str]:
    answer = await running.client.get("/v1/quota", headers=await running.token())
    return list(answer.json()["certified"])


@pytest.mark.parametrize("types", [(), ("RS-EDA@v2",), ("RS-SR@v3",)])
async def test_what_is_not_certified_is_refused_and_told_what_to_run(
    tmp_path: Path, types: tuple[str, ...]
) -> None:
    async with gateway(tmp_path, *types) as running:
        answer = await running.send(case(1))
        assert (answer.status_code, codes(answer)) == (403, ["not-certified"])
        issue = answer.json()["issue"][0]
        assert "RS-EDA@v3" in issue["diagnostics"] and "gateway conformance software" in issue["diagnostics"]
        assert {e.get("valueCode") for e in issue["extension"]} >= {"never"}
        headers = {"Content-Type": "application/json", **await running.token()}
        tried = await running.client.post(
            "/v1/messages/$validate", content=orjson.dumps(case(2)), headers=headers
        )
        assert codes(tried) == ["not-certified"]


async def test_what_is_certified_is_taken_until_it_expires(tmp_path: Path) -> None:
    async with gateway(tmp_path, "RS-EDA@v3", until=NOW + 60) as running:
        assert await shown(running) == ["RS-EDA@v3"]
        assert (await running.send(case(1))).status_code == 202
        running.clock.now = NOW + 60
        assert await shown(running) == []
        refused = await running.send(case(2))
        assert (refused.status_code, codes(refused)) == (403, ["not-certified"])
        # a repeat of what was accepted is never refused
        assert (await running.send(case(1))).status_code == 200


async def test_an_answer_always_goes_through(tmp_path: Path) -> None:
    async with gateway(tmp_path) as running:
        body = {"distributionID": f"{OTHER}_1", "step": "INTEGRE"}
        made = enveloped(
            "reference", body, recipient=OTHER, internal_id="1", sent=datetime.fromtimestamp(NOW, UTC)
        )
        assert (await running.send(made)).status_code == 202


async def test_nothing_is_asked_for_unless_the_setting_says_so(tmp_path: Path) -> None:
    async with gateway(tmp_path, required=False) as running:
        assert (await running.send(case(1))).status_code == 202
        assert await shown(running) == []


def test_a_registration_holds_a_certification_to_the_end_of_its_last_day(tmp_path: Path) -> None:
    (tmp_path / "lrm.toml").write_text(REGISTRATION + TABLE)
    found = registry.load(tmp_path).publishers[0]
    last = datetime(2027, 11, 24, 23, 59, 59, tzinfo=UTC).timestamp()
    assert found.certified(last) == ("RS-EDA@v3",)
    assert found.certified(last + 1) == ()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "RS-EDA@v3",
            "RS-EDA",
            ":8: certification.types: 'RS-EDA' is not a message type and model version like RS-EDA@v3",
        ),
        ("RS-EDA@v3", "RC-RI@v1", ":8: certification.types: 'RC-RI@v1' is not"),
        ("2027-11-24", '"2027-11-24"', ":7: certification.valid_until: must be a date without quotes"),
        (
            "2027-11-24",
            "2027-11-24T10:00:00Z",
            ":7: certification.valid_until: must be a date without quotes",
        ),
        (DIGEST, DIGEST.upper(), ":6: certification.report: must be 64 hexadecimal digits"),
        ("types", "type", ":8: unknown key certification.type; is it types?"),
        ("report", "#", ":5: the key certification.report is missing"),
    ],
)
def test_a_wrong_certification_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    (tmp_path / "lrm.toml").write_text(REGISTRATION + TABLE.replace(old, new))
    with pytest.raises(ConfigurationError) as refused:
        registry.load(tmp_path)
    assert complaint in str(refused.value)


def test_a_certification_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "lrm.toml").write_text(REGISTRATION + "certification = true\n")
    with pytest.raises(ConfigurationError, match=r"lrm.toml:5: certification must be a table"):
        registry.load(tmp_path)


def run_of(*results: Result, kind: str = "software", roles: tuple[str, ...] = software.ROLES) -> Report:
    subject = {"software": "Made up 1.0", "modelVersion": "v3"}
    times = ("2026-11-24T10:00:00+00:00", "2026-11-24T23:03:00+00:00")
    return Report(NAME, VERSION, kind, subject, *times, results, coverage(results, roles))


def everything(outcome: Outcome = Outcome.PASSED, **more: Any) -> tuple[Result, ...]:
    rows = [row.id for row in requirements().values() if row.role in software.ROLES]
    return tuple(Result(f"check-{row}", "", (row,), outcome, "", 0.1, **more) for row in rows)


def test_a_report_certifies_what_was_sent_in_its_passed_checks() -> None:
    more = (
        Result("received", "", ("receiver.ack",), Outcome.PASSED, "", 0.1, ("RS-SR",)),
        Result("left-out", "", ("sender.order",), Outcome.SKIPPED, "", 0.1, ("RS-BPV",)),
        Result("sent", "", ("sender.order",), Outcome.PASSED, "", 0.1, ("RS-EDA-MAJ",)),
    )
    found = run_of(*everything(message_types=("RS-EDA",)), *more)
    assert found.verdict == "passed"
    assert found.certifies == ("RS-EDA-MAJ@v3", "RS-EDA@v3")
    assert found.document()["certifies"] == ["RS-EDA-MAJ@v3", "RS-EDA@v3"]
    failed = Result("failed", "", ("sender.order",), Outcome.FAILED, "", 0.1, ("RS-EDA",))
    assert run_of(*everything(message_types=("RS-EDA",)), failed).certifies == ()


def test_every_check_of_software_names_what_it_sends() -> None:
    known = {name for check in software.CHECKS for name in check.message_types}
    assert known == {"RS-EDA", "RS-EDA-MAJ"}
    assert scripts.message_types({"resourcesStatus": {}}) == ("RS-SR",)
    assert scripts.message_types({}) == ()


def grant(folder: Path, *more: str, key: dict[str, Any] = KEY) -> Any:
    (folder / "key.json").write_bytes(orjson.dumps(signature.public_key(key)))
    return CliRunner().invoke(
        cli, ["conformance", "grant", str(folder), "--key", str(folder / "key.json"), *more]
    )


def test_a_grant_is_what_a_registration_takes(tmp_path: Path) -> None:
    report.write(tmp_path, run_of(*everything(message_types=("RS-EDA",))), KEY)
    told = grant(tmp_path, "--days", "30")
    assert told.exit_code == 0, told.output
    (tmp_path / "lrm.toml").write_text(REGISTRATION + told.stdout)
    held = registry.load(tmp_path).publishers[0].certification
    body = (tmp_path / report.REPORT).read_bytes()
    until = datetime(2026, 12, 25, tzinfo=UTC).timestamp()
    assert held == Certification(hashlib.sha256(body).hexdigest(), until, ("RS-EDA@v3",))


def test_nothing_is_granted_for_a_report_that_did_not_pass_or_another_key_signed(tmp_path: Path) -> None:
    report.write(tmp_path, run_of(*everything(Outcome.FAILED, message_types=("RS-EDA",))), KEY)
    told = grant(tmp_path)
    assert (told.exit_code, told.stdout) == (1, "") and "its verdict is failed" in told.stderr
    report.write(tmp_path, run_of(*everything(message_types=("RS-EDA",))), KEY)
    assert grant(tmp_path, key=signature.new_key()).exit_code == 1
    report.write(tmp_path, run_of(*everything(message_types=("RS-EDA",)), kind="server"), KEY)
    told = grant(tmp_path)
    assert told.exit_code == 1 and "it is of a server" in told.stderr
