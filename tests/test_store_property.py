"""Repeats, failures and a restart, in random order."""

import asyncio
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.model import Status
from gateway.store import Store
from tests.store_samples import NOW, opened, submission


@given(
    plan=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["a", "b"]), st.booleans()), min_size=1, max_size=30
    ),
    fails=st.lists(st.sampled_from(["ok", "retry", "dead"]), min_size=1, max_size=20),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_lost_doubled_or_out_of_order(
    fresh_database: Callable[[], str], plan: list[tuple[int, str, bool]], fails: list[str]
) -> None:
    """Repeats, failures and a restart in the middle: every message ends once, each lane in its order."""
    database = fresh_database()
    ended: list[str] = []

    async def drain(store: Store, turns: int, now: float, outcome: Callable[[], str]) -> None:
        for _ in range(turns):
            for job in await store.claim(now, 3):
                match outcome():
                    case "ok":
                        await store.mark_forwarded(job.id, now)
                        ended.append(job.submission.distribution_id)
                    case "retry":
                        await store.mark_retry(job.id, now, now + 1)
                    case _:
                        await store.reject(job.id, now, Status.DEAD, "", None)
                        ended.append(job.submission.distribution_id)

    async def run() -> set[str]:
        outcomes = iter(fails * 3)
        async with opened(database) as store:
            messages = [
                submission(n, distribution_id=str(n), case_id=case, urgent=urgent)
                for n, case, urgent in dict.fromkeys(plan)
                if (n, case, urgent) == next(p for p in plan if p[0] == n)
            ]
            await asyncio.gather(*(store.enqueue(m, NOW) for m in [*messages, *messages]))
            await drain(store, 5, NOW, lambda: next(outcomes, "ok"))
            await store.claim(NOW, 1)  # under way when the store goes down
        async with opened(database) as store:
            await drain(store, 50, NOW + 5, lambda: "ok")
            assert store.backlog() == 0
        return {m.distribution_id for m in messages}

    sent = asyncio.run(run())
    assert len(ended) == len(set(ended)) and set(ended) == sent
    case_of = {str(n): case for n, case, _ in reversed(plan)}
    order = {str(n): at for at, (n, _, _) in reversed(list(enumerate(plan)))}
    for case in "ab":
        lane = [order[one] for one in ended if case_of[one] == case]
        assert lane == sorted(lane)
