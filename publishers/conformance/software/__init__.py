"""The conformance of a publisher's software: it is driven through scripts, and watched on the wire, in its inbox and at the core.

    software under test <-> proxy (the hostile network) <-> private gateway <-> simulated core
                                                                  ^ the other SAMU, played by the suite

Read `CHECKS`. `scripts` adds the official ones.
"""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from publishers.conformance.checks import Check, Progress, run_checks
from publishers.conformance.results import Result
from publishers.conformance.software import receiving, sending
from publishers.conformance.software.bench import SoftwareBench
from publishers.conformance.software.environment import HOST, Registration, free_ports, running
from publishers.conformance.software.partner import Partner
from publishers.conformance.software.proxy import Proxy, served
from publishers.conformance.software.subject import Access, Subject

CHECKS: tuple[Check[SoftwareBench], ...] = (*sending.CHECKS, *receiving.CHECKS, *sending.LAST)
ROLES = ("sender", "receiver")
SOFTWARE_ID, PARTNER_ID = "fr.health.samu440", "fr.health.samu750"
MakeSubject = Callable[[Access], Subject]


@dataclass(frozen=True, slots=True)
class Wish:
    """How the software is registered for the run: its format and version in receiving, and the proxy's port (0 = any)."""

    format: str = "json"
    model_version: str = "v3"
    port: int = 0


async def certify(
    make: MakeSubject, wish: Wish, checks: Iterable[Check[SoftwareBench]], progress: Progress
) -> tuple[Result, ...]:
    """Run the checks over the software that `make` drives. Raises NotStarted where the private gateway does not start."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        async with bench_for(make, wish, Path(folder)) as bench:
            return await run_checks(checks, bench, progress)


@asynccontextmanager
async def bench_for(make: MakeSubject, wish: Wish, folder: Path) -> AsyncIterator[SoftwareBench]:
    """Everything started, and the software with it."""
    port = wish.port or free_ports(1)[0]
    public_url = f"http://{HOST}:{port}"
    mine = Registration(
        "software-under-test", (SOFTWARE_ID,), (SOFTWARE_ID,), wish.format, wish.model_version
    )
    other = Registration("other-samu", (PARTNER_ID,), (PARTNER_ID,))
    (folder / "software").mkdir()
    access = Access(
        public_url,
        mine.client_id,
        mine.client_secret,
        mine.keys[0],
        SOFTWARE_ID,
        wish.format,
        wish.model_version,
        folder / "software",
    )
    pool = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(timeout=90.0, trust_env=False, limits=pool) as upstream:
        proxy = Proxy(upstream)
        async with served(proxy, port), running(folder / "gateway", (mine, other), public_url) as started:
            proxy.upstream = started.gateway
            async with (
                httpx.AsyncClient(base_url=started.gateway, trust_env=False, timeout=30.0) as http,
                httpx.AsyncClient(base_url=started.core, trust_env=False, timeout=30.0) as core,
            ):
                partner = Partner(http, other.client_id, other.client_secret, PARTNER_ID, SOFTWARE_ID)
                subject = make(access)
                await subject.start()
                try:
                    yield SoftwareBench(subject, partner, proxy, access, core, mine.keys[1])
                finally:
                    await subject.stop()
