"""Checks of a core that fails or refuses; they need the simulated core's own controls (`openapi/core.yaml`, tag sandbox)."""

from typing import Any

import httpx
import orjson

from publishers.conformance.checks import Check, Failed, Skipped, expect
from publishers.conformance.server.bench import PATIENCE, ServerBench, read
from publishers.conformance.server.inbox import until_status


async def core_outage(bench: ServerBench) -> None:
    """A core that fails twice, or whose answer is lost, gets the message again, and has it once."""
    for fault in ({"status": 503, "count": 2}, {"status": 200, "count": 1, "drop_answer": True}):
        document = bench.case()
        await order(bench, fault)
        receipt = await bench.send(document)
        await bench.arrived(document["distributionID"])
        status = await until_status(bench, receipt["id"], "forwarded")
        expect(
            status == "forwarded",
            f"after an outage of the core the message is {status!r}; forwarded is expected",
        )
        page = read(await bench.get("/v1/inbox?limit=1000"))["items"]
        times = [item["distributionID"] for item in page].count(document["distributionID"])
        expect(times == 1, f"after a lost answer of the core the message is {times} times in the inbox")


async def core_refusal(bench: ServerBench) -> None:
    """A message that the core refuses is rejected, and an RS-ERROR tells its sender."""
    document = bench.case()
    await order(bench, {"status": 422, "count": 1})
    receipt = await bench.send(document)
    status = await until_status(bench, receipt["id"], "rejected")
    expect(status == "rejected", f"a message that the core refused is {status!r}; rejected is expected")
    page = read(await bench.get(f"/v1/inbox?limit=1000&wait={PATIENCE / 10:.0f}"))["items"]
    told = [
        i
        for i in page
        if i["messageType"] == "RS-ERROR"
        and document["distributionID"] in orjson.dumps(i["content"]).decode()
    ]
    if not told:
        raise Failed("no RS-ERROR about the refused message is in its sender's inbox")
    await bench.post({"reference": False}, f"/v1/inbox/{told[0]['id']}/ack")


async def order(bench: ServerBench, fault: dict[str, Any]) -> None:
    """Have the simulated core fail. Raises Skipped where there is none."""
    if not bench.target.core:
        raise Skipped("no simulated core was given (--core)")
    async with httpx.AsyncClient(trust_env=False, timeout=10.0) as http:
        answer = await http.post(f"{bench.target.core}/faults", json=fault)
    if answer.status_code != 200:
        raise Skipped(f"the core at {bench.target.core} takes no faults ({answer.status_code})")


CHECKS: tuple[Check[ServerBench], ...] = (
    Check("core-outage", "An outage of the core loses nothing", ("server.core-outage",), core_outage),
    Check("core-refusal", "A refusal of the core comes back", ("server.core-refusal",), core_refusal),
)
