"""The software checks of the conformance suite: the reference client passes, and each broken client fails at its own check alone."""

import asyncio
import shlex
import sys

import pytest

from publishers.conformance import software
from publishers.conformance.checks import Check
from publishers.conformance.requirements import coverage
from publishers.conformance.results import Outcome, Report, Result
from publishers.conformance.software.bench import SoftwareBench
from publishers.conformance.software.subject import CommandSubject
from publishers.conformance.subjects.broken import BROKEN

pytestmark = pytest.mark.slow
REFERENCE, PLAIN = "publishers.conformance.reference_client", "publishers.conformance.subjects plain"
OWN_CHECK = {
    "no-retry": "resend",
    "new-id": "same-id",
    "ignores-429": "retry-after",
    "acks-first": "store-first",
    "reorders": "order",
    "mangles": "accents",
    "takes-refusals": "answers",
}
AT_ONE_TIME = 4
Runs = dict[str, tuple[Result, ...]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Every client through the whole unattended set, several side by side: most of the time they wait."""
    clients = {"reference": REFERENCE, "plain": PLAIN}
    clients |= {name: f"publishers.conformance.subjects {name}" for name in BROKEN}

    async def all_of_them() -> Runs:
        free = asyncio.Semaphore(AT_ONE_TIME)

        async def one(module: str) -> tuple[Result, ...]:
            async with free:
                return await certify(module)

        return dict(zip(clients, await asyncio.gather(*map(one, clients.values())), strict=True))

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("name", ["reference", "plain"])
def test_a_correct_client_passes_everything(runs: Runs, name: str) -> None:
    assert {r.check: r.detail for r in runs[name] if r.outcome is not Outcome.PASSED} == {}
    rows = coverage(runs[name], software.ROLES)
    assert Report("", "", "software", {}, "", "", runs[name], rows).verdict == "passed"
    open_ones = {row.id for row in rows if row.outcome is Outcome.SKIPPED}
    assert open_ones == {"sender.official-scripts", "receiver.official-scripts"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_client_fails_at_its_own_check_and_at_no_other(runs: Runs, name: str) -> None:
    failed = {r.check: r.detail for r in runs[name] if r.outcome in {Outcome.FAILED, Outcome.ERROR}}
    assert set(failed) == {OWN_CHECK[name]}, failed


@pytest.mark.parametrize(("form", "version"), [("xml", "v3"), ("json", "v2")])
async def test_a_correct_client_passes_in_every_form(form: str, version: str) -> None:
    chosen = tuple(
        c for c in software.CHECKS if c.id in {"delivery", "accents", "stored", "characters", "unknown-code"}
    )
    results = await certify(PLAIN, software.Wish(form, version), chosen)
    assert len(results) == len(chosen)
    assert {r.check: r.detail for r in results if r.outcome is not Outcome.PASSED} == {}


async def certify(
    module: str, wish: software.Wish | None = None, checks: tuple[Check[SoftwareBench], ...] = software.CHECKS
) -> tuple[Result, ...]:
    command = shlex.join([sys.executable, "-W", "ignore", "-m", *module.split()])
    return await software.certify(
        lambda access: CommandSubject(command, access), wish or software.Wish(), checks, lambda _: None
    )
