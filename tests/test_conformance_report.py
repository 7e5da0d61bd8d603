"""Reports of the conformance suite: what they say, and that no byte of them can be changed unnoticed."""

import base64
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from gateway.__main__ import cli
from publishers.conformance import NAME, VERSION, report, server, software
from publishers.conformance.checks import Check, Failed, Skipped, expect, run_checks
from publishers.conformance.report import NotIntact, signature
from publishers.conformance.requirements import coverage, page, requirements
from publishers.conformance.results import Outcome, Report, Result, parse
from publishers.conformance.running import checked_by

ROOT = Path(__file__).parents[1]
KEY = signature.new_key()
HOSTILE = "<script>alert(1)</script> & \x01 \ud83d 'œ'".encode("utf-8", "replace").decode()


def result(check: str = "ack", outcome: Outcome = Outcome.PASSED, detail: str = "") -> Result:
    return Result(check, "A title", ("receiver.ack",), outcome, detail, 0.25)


def made(*results: Result, subject: dict[str, Any] | None = None) -> Report:
    rows = coverage(results, ("receiver",))
    times = ("2026-11-24T10:00:00+00:00", "2026-11-24T10:03:00+00:00")
    return Report(NAME, VERSION, "software", subject or {"software": "Made up 1.0"}, *times, results, rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    report.write(tmp_path, made(result(), result("once", Outcome.FAILED, HOSTILE)), KEY)
    return tmp_path


def test_an_intact_report_is_verified_and_read(folder: Path) -> None:
    found = report.verify(folder, signature.public_key(KEY))
    assert found.thumbprint == signature.thumbprint(KEY)
    assert found.report.verdict == "failed"
    assert report.verify(folder / report.REPORT, None) == found


@pytest.mark.parametrize("name", [report.REPORT, report.SIGNATURE, report.JUNIT, report.HTML])
def test_one_changed_byte_is_noticed(folder: Path, name: str) -> None:
    file = folder / name
    whole = file.read_bytes()
    for at in range(0, len(whole.rstrip(b"\n")), max(1, len(whole) // 150)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(NotIntact):
            report.verify(folder, None)
    file.write_bytes(whole)
    report.verify(folder, None)


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_no_byte_of_the_body_can_be_changed(at: int, flip: int) -> None:
    body = report.rendered(made(result()))[report.REPORT]
    signed = signature.sign(body, KEY)
    at %= len(body)
    changed = body[:at] + bytes([body[at] ^ flip]) + body[at + 1 :]
    with pytest.raises(signature.NotSigned):
        signature.verify(changed, signed, None)


def test_another_key_is_noticed(folder: Path) -> None:
    with pytest.raises(NotIntact, match="by the key given"):
        report.verify(folder, signature.public_key(signature.new_key()))


def test_another_algorithm_is_not_taken(folder: Path) -> None:
    head, _, tail = (folder / report.SIGNATURE).read_text().partition("..")
    header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    none = base64.urlsafe_b64encode(orjson.dumps({**header, "alg": "none"})).rstrip(b"=").decode()
    for forged in (f"{none}..{tail}", f"{none}..", f"{head}..", "", "..", "a.b.c"):
        (folder / report.SIGNATURE).write_text(forged)
        with pytest.raises(NotIntact):
            report.verify(folder, None)


def test_openssl_verifies_the_signature(folder: Path, tmp_path: Path) -> None:
    """RFC 7515, appendix F: the signing input is `header.payload`; the signature is r and s, which openssl wants in DER."""
    head, tail = (folder / report.SIGNATURE).read_text().strip().split("..")
    payload = base64.urlsafe_b64encode((folder / report.REPORT).read_bytes()).rstrip(b"=").decode()
    raw = base64.urlsafe_b64decode(tail + "=" * (-len(tail) % 4))
    (tmp_path / "signature.der").write_bytes(der(raw[:32], raw[32:]))
    (tmp_path / "public.pem").write_bytes(ECKey.import_key(signature.public_key(KEY)).as_pem(private=False))
    verify = ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature.der"]
    done = subprocess.run(
        verify, cwd=tmp_path, input=f"{head}.{payload}".encode(), capture_output=True, check=False
    )
    assert done.stdout == b"Verified OK\n", done.stderr
    done = subprocess.run(
        verify, cwd=tmp_path, input=f"{head}.{payload[:-1]}A".encode(), capture_output=True, check=False
    )
    assert done.returncode != 0


def test_the_html_page_escapes_and_loads_nothing(folder: Path) -> None:
    text = (folder / report.HTML).read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "Not passed" in text
    assert not re.findall(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//""", text)


def test_junit_tells_each_check_once(folder: Path) -> None:
    suite = ET.parse(folder / report.JUNIT).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "2",
        "1",
        "0",
        "0",
    )
    assert [(case.get("name"), [child.tag for child in case]) for case in suite] == [
        ("ack", ["properties"]),
        ("once", ["properties", "failure"]),
    ]


def test_a_report_comes_back_from_its_document() -> None:
    whole = made(result(), result("once", Outcome.SKIPPED, "why"))
    assert parse(orjson.loads(orjson.dumps(whole.document()))) == whole
    broken: list[dict[str, Any]] = [{}, {"suite": {}}, {**whole.document(), "results": [{"check": 1}]}]
    for wrong in broken:
        with pytest.raises(ValueError, match="no conformance report"):
            parse(wrong)


def test_the_verdict_is_passed_only_where_everything_needed_was_judged() -> None:
    needed = [row.id for row in requirements().values() if row.role == "receiver" and not row.optional]
    whole = tuple(Result(name, "", (name,), Outcome.PASSED, "", 0) for name in needed)
    assert made(*whole).verdict == "passed"
    assert made(*whole[1:]).verdict == "incomplete"
    skipped = Result(needed[0], "", (needed[0],), Outcome.SKIPPED, "why", 0)
    assert made(skipped, *whole[1:]).verdict == "incomplete"
    assert made(*whole, result("x", Outcome.FAILED)).verdict == "failed"
    assert made(*whole, result("x", Outcome.ERROR)).verdict == "failed"
    assert made().verdict == "incomplete"


async def test_a_check_passes_fails_skips_or_breaks_and_the_run_goes_on() -> None:
    async def passes(_: None) -> None:
        expect(condition=True, text="")

    async def fails(_: None) -> None:
        raise Failed("found 1, expected 2")

    async def skips(_: None) -> None:
        raise Skipped("no key")

    async def breaks(_: None) -> None:
        raise KeyError("items")

    heard: list[Result] = []
    checks = [Check(run.__name__, "", (), run) for run in (passes, fails, breaks, skips)]
    results = await run_checks(checks, None, heard.append)
    assert [r.outcome for r in results] == ["passed", "failed", "error", "skipped"]
    assert [r.detail for r in results[1:]] == [
        "found 1, expected 2",
        "the check broke on what it saw: KeyError: 'items'",
        "no key",
    ]
    assert tuple(heard) == results


def test_every_requirement_is_verified_and_every_check_verifies_one() -> None:
    checked = checked_by()
    assert set(checked) == set(requirements())
    ids = [check.id for check in server.CHECKS] + [check.id for check in software.CHECKS]
    for checks in (server.CHECKS, software.CHECKS):
        assert len({check.id for check in checks}) == len(checks)
        assert all(check.requirements and check.title for check in checks)
    assert set(ids) <= {check for names in checked.values() for check in names}


def test_the_page_of_requirements_is_up_to_date() -> None:
    written = (ROOT / "docs" / "reference" / "requirements.md").read_text()
    assert written == page(checked_by()), "make it anew: gateway conformance requirements --markdown"


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.json"
    key = signature.key_at(path)
    assert signature.key_at(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert signature.read_key(path.with_suffix(".pub.json")) == signature.public_key(key)
    with pytest.raises(ValueError, match="private key is needed"):
        signature.key_at(path.with_suffix(".pub.json"))
    path.write_text('{"kty": "oct", "k": "AAAA"}')
    with pytest.raises(ValueError, match="no JWK of an EC key"):
        signature.key_at(path)


def test_the_command_verifies(folder: Path, tmp_path: Path) -> None:
    public = tmp_path / "public.json"
    public.write_bytes(orjson.dumps(signature.public_key(KEY)))
    done = run("verify", str(folder), "--key", str(public))
    assert done.exit_code == 0 and signature.thumbprint(KEY) in done.stdout
    (folder / report.REPORT).write_bytes((folder / report.REPORT).read_bytes().replace(b"failed", b"passed"))
    done = run("verify", str(folder))
    assert done.exit_code == 1 and "not one of these bytes" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--target", "http://127.0.0.1:1"),
        ("--target", "http://127.0.0.1:1", "--client-id", "x", "--client-secret-env", "NO_SUCH_VARIABLE"),
        ("software",),
        ("software", "--command", "x", "--guided"),
        ("software", "--command", "x", "--role", "judge"),
        ("software", "--command", "x", "--format", "csv"),
        ("software", "--command", "x", "--scripts", "cases.json"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_target_that_does_not_answer_is_a_finding(tmp_path: Path) -> None:
    arguments = ("--target", "http://127.0.0.1:1", "--client-id", "x", "--client-secret-env", "SECRET")
    done = CliRunner().invoke(cli, ["conformance", *arguments], env={"SECRET": "x"})
    assert done.exit_code == 1 and "nothing answers" in done.stderr


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["conformance", *arguments])


def der(r: bytes, s: bytes) -> bytes:
    parts = b"".join(b"\x02" + bytes([len(n)]) + n for n in (integer(r), integer(s)))
    return b"\x30" + bytes([len(parts)]) + parts


def integer(raw: bytes) -> bytes:
    bare = raw.lstrip(b"\0") or b"\0"
    return (b"\0" if bare[0] & 0x80 else b"") + bare
