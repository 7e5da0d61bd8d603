"""Which cases are urgent: what may use the reserve."""

from collections.abc import Iterable

URGENT_PRIORITIES = frozenset({"P0", "P1"})
LIFE = 86_400.0  # seconds that a case stays urgent after its last P0 or P1
CASES = 50_000  # remembered for one publisher; the oldest go first


class UrgentCases:
    """The cases of each publisher that had a message of priority P0 or P1 in the last 24 hours.

    Messages about such a case (RS-RI, RS-SR, RC-REF…) are urgent too. A case is remembered after its message was
    accepted only: what is refused unlocks nothing. `now` and `at` are POSIX seconds.
    """

    def __init__(self, cases: int = CASES) -> None:
        self._cases = cases
        self._seen: dict[str, dict[str, float]] = {}  # publisher id -> case id -> when, oldest first

    def __len__(self) -> int:
        """How many cases are remembered."""
        return sum(map(len, self._seen.values()))

    def is_urgent(self, publisher_id: str, priority: str, case_id: str, now: float) -> bool:
        """Whether a message of this priority ("" = none) about this case ("" = none) is urgent."""
        if priority in URGENT_PRIORITIES:
            return True
        at = self._seen.get(publisher_id, {}).get(case_id)
        return at is not None and now < at + LIFE

    def remember(self, publisher_id: str, priority: str, case_id: str, now: float) -> None:
        """Note an accepted message; one that is not P0 or P1, or has no case, changes nothing."""
        if priority not in URGENT_PRIORITIES or not case_id:
            return
        cases = self._seen.setdefault(publisher_id, {})
        cases.pop(case_id, None)
        cases[case_id] = now
        while len(cases) > self._cases or now >= cases[next(iter(cases))] + LIFE:
            del cases[next(iter(cases))]

    def rebuild(self, cases: Iterable[tuple[str, str, float]]) -> None:
        """Remember what the store holds, of all replicas. Rows are (publisher id, case id, when).

        What is known to be later stays so.
        """
        for publisher_id, case_id, at in sorted(cases, key=lambda row: row[2]):
            if at > self._seen.get(publisher_id, {}).get(case_id, 0.0):
                self.remember(publisher_id, "P0", case_id, at)
