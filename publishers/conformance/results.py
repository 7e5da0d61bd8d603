"""What a run found, as values: results of checks, and the report that holds them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

JsonObject = dict[str, Any]


class Outcome(StrEnum):
    """What a check says. `skipped`: this run could not tell, and the detail says why. `error`: the check itself broke."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Result:
    """One check of one run. `detail` says what was seen, expected and to be mended; `seconds` is how long it took.

    `message_types` are those sent and received in it, answers apart.
    """

    check: str
    title: str
    requirements: tuple[str, ...]
    outcome: Outcome
    detail: str
    seconds: float
    message_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """A requirement and the checks of this run that judged it."""

    id: str
    role: str
    source: str
    text: str
    optional: bool
    checks: tuple[str, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Report:
    """One run. `kind` is `server` or `software`; `subject` says what was under test; instants are ISO 8601 in UTC."""

    suite: str
    version: str
    kind: str
    subject: JsonObject
    started_at: str
    ended_at: str
    results: tuple[Result, ...]
    coverage: tuple[Coverage, ...]

    @property
    def verdict(self) -> str:
        """`passed`, `failed`, or `incomplete` where nothing failed, but a requirement that is not optional was not judged."""
        if {result.outcome for result in self.results} & {Outcome.FAILED, Outcome.ERROR}:
            return "failed"
        open_ones = [row for row in self.coverage if row.outcome is Outcome.SKIPPED and not row.optional]
        return "incomplete" if open_ones or not self.results else "passed"

    @property
    def certifies(self) -> tuple[str, ...]:
        """The types and versions ("RS-EDA@v3") that the software may send: those sent in a passed check of a passed run."""
        if self.kind != "software" or self.verdict != "passed":
            return ()
        sent = [
            result.message_types
            for result in self.results
            if result.outcome is Outcome.PASSED and any(r.startswith("sender.") for r in result.requirements)
        ]
        return tuple(sorted({f"{name}@{self.subject['modelVersion']}" for names in sent for name in names}))

    def document(self) -> JsonObject:
        """The report as a JSON object, as `report.json` holds it."""
        return {
            "suite": {"name": self.suite, "version": self.version},
            "kind": self.kind,
            "subject": self.subject,
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "verdict": self.verdict,
            "certifies": list(self.certifies),
            "counts": counts(self.results),
            "results": [_plain(result) for result in self.results],
            "requirements": [_plain(row) for row in self.coverage],
        }


def parse(document: JsonObject) -> Report:
    """The report that `document` wrote. Raises ValueError where it is none."""
    try:
        results = tuple(
            Result(
                **{
                    **row,
                    "requirements": tuple(row["requirements"]),
                    "outcome": Outcome(row["outcome"]),
                    "message_types": tuple(row["message_types"]),
                }
            )
            for row in document["results"]
        )
        coverage = tuple(
            Coverage(**{**row, "checks": tuple(row["checks"]), "outcome": Outcome(row["outcome"])})
            for row in document["requirements"]
        )
        return Report(
            document["suite"]["name"],
            document["suite"]["version"],
            document["kind"],
            document["subject"],
            document["startedAt"],
            document["endedAt"],
            results,
            coverage,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no conformance report: {error}") from None


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that stands for several; `skipped` for none."""
    found = set(outcomes)
    order = (Outcome.FAILED, Outcome.ERROR, Outcome.PASSED)
    return next((outcome for outcome in order if outcome in found), Outcome.SKIPPED)


def counts(results: Iterable[Result]) -> dict[str, int]:
    """How many results have each outcome."""
    found = [result.outcome for result in results]
    return {str(outcome): found.count(outcome) for outcome in Outcome}


def _plain(value: Result | Coverage) -> JsonObject:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(value).items()}
