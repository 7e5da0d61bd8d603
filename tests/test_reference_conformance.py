"""The official conformance scripts, played in both roles with the reference client."""

import shlex
import sys
from pathlib import Path

import pytest

from publishers.conformance import software
from publishers.conformance.results import Outcome
from publishers.conformance.software import scripts
from publishers.conformance.software.subject import CommandSubject

OFFICIAL = Path(__file__).parents[1].parent / "shared" / "hubsante"
CASES, SAMPLES = OFFICIAL / "conformance" / "test_cases.json", OFFICIAL / "samples" / "v3"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CASES.exists(), reason="the official scripts are not here"),
]


async def test_the_reference_client_plays_every_official_step() -> None:
    command = shlex.join([sys.executable, "-W", "ignore", "-m", "publishers.conformance.reference_client"])
    checks = scripts.checks(CASES, SAMPLES)
    roles = {check.requirements[0] for check in checks}
    assert roles == {"sender.official-scripts", "receiver.official-scripts"}
    results = await software.certify(
        lambda a: CommandSubject(command, a), software.Wish(), checks, lambda _: None
    )
    assert len(results) == len(checks) > 50
    assert {r.check: r.detail for r in results if r.outcome in {Outcome.FAILED, Outcome.ERROR}} == {}
    skipped = [r.detail for r in results if r.outcome is Outcome.SKIPPED]
    assert all(detail.startswith("there is no sample") for detail in skipped)
