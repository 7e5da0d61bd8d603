"""Checks of quotas: what is shown, and what happens beyond."""

import asyncio
import re

from publishers.conformance.checks import Check, Skipped, expect
from publishers.conformance.server.bench import ServerBench, read, refused, seen

POLICY = re.compile(r'"[^"]+";q=\d+(;[a-z]+=[^;,]+)*(, ?"[^"]+";q=\d+(;[a-z]+=[^;,]+)*)*')
STATE = re.compile(r'"[^"]+";r=\d+(;[a-z]+=[^;,]+)*(, ?"[^"]+";r=\d+(;[a-z]+=[^;,]+)*)*')
NAMES = re.compile(r'"([^"]+)"')
MOST = 300  # a burst of this size is still tried


async def shown(bench: ServerBench) -> None:
    """`/v1/quota` names every limit with what is left of it; asking spends nothing."""
    first = read(await bench.get("/v1/quota"))
    limits = first.get("limits") or []
    expect(isinstance(limits, list) and limits, "limits is no list, or empty")
    for limit in limits:
        lacking = {"name", "limit", "window", "remaining", "reset"} - set(limit)
        expect(not lacking, f"the limit {limit.get('name')} lacks {', '.join(sorted(lacking))}")
        expect(
            0 <= limit["remaining"] <= limit["limit"], f"of {limit['limit']} {limit['remaining']} are left"
        )


async def headers(bench: ServerBench) -> None:
    """`RateLimit-Policy` and `RateLimit` have the draft's form and name the windows of `/v1/quota`."""
    answer = await bench.get("/v1/quota")
    policy, state = answer.headers.get("ratelimit-policy"), answer.headers.get("ratelimit")
    if policy is None or state is None:
        raise Skipped("the headers are missing, which another check judges")
    expect(POLICY.fullmatch(policy), f"RateLimit-Policy is {policy!r}")
    expect(STATE.fullmatch(state), f"RateLimit is {state!r}")
    known = {limit["name"] for limit in read(answer)["limits"]}
    unknown = (set(NAMES.findall(policy)) | set(NAMES.findall(state))) - known
    expect(not unknown, f"the headers name windows that /v1/quota does not: {', '.join(sorted(unknown))}")


async def exceeded(bench: ServerBench) -> None:
    """Beyond the quota: 429 with Retry-After; what was refused can be sent again afterwards with the same id."""
    windows = [limit for limit in read(await bench.get("/v1/quota"))["limits"] if limit["window"] == 1]
    smallest = min((limit["limit"] for limit in windows if "reserve" not in limit["name"]), default=MOST + 1)
    if smallest > MOST:
        raise Skipped(
            f"the smallest window of a second holds more than {MOST} messages; give a client of a narrower quota"
        )
    documents = [bench.case() for _ in range(smallest * 3 + 5)]
    answers = await asyncio.gather(*(bench.post(document) for document in documents))
    beyond = [(d, a) for d, a in zip(documents, answers, strict=True) if a.status_code == 429]
    expect(beyond, f"{len(documents)} messages at once, of {smallest} a second, got no 429")
    document, answer = beyond[0]
    refused(answer, 429, "quota-exceeded")
    pause = answer.headers.get("retry-after", "")
    expect(pause.isdigit(), f"Retry-After of a 429 is {pause!r}; a number of seconds is expected")
    await asyncio.sleep(min(int(pause), 90) + 0.1)
    later = await bench.post(document)
    expect(
        later.status_code == 202, f"a message sent again after Retry-After got {seen(later)}; 202 is expected"
    )


CHECKS: tuple[Check[ServerBench], ...] = (
    Check("quota", "What is left of the quota", ("server.quota",), shown),
    Check("ratelimit-form", "The RateLimit headers' form", ("server.ratelimit-form",), headers),
    Check("quota-exceeded", "Beyond the quota", ("server.quota-exceeded",), exceeded),
)
