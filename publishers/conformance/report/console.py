"""A run as it goes, and its verdict, in the terminal."""

from rich.console import Console
from rich.markup import escape

from publishers.conformance.results import Outcome, Report, Result, counts

MARKS = {
    Outcome.PASSED: "[green]passed [/]",
    Outcome.FAILED: "[red]FAILED [/]",
    Outcome.SKIPPED: "[dim]skipped[/]",
    Outcome.ERROR: "[red]ERROR  [/]",
}
VERDICTS = {
    "passed": ("PASSED", "green"),
    "failed": ("NOT PASSED", "red"),
    "incomplete": ("INCOMPLETE: nothing failed, but not everything needed was judged", "yellow"),
}


def show_result(console: Console, result: Result) -> None:
    """One line for a check, and one for what it found."""
    console.print(
        f"{MARKS[result.outcome]} {escape(result.check):<22} {escape(result.title)}",
        highlight=False,
        soft_wrap=True,
    )
    if result.detail:
        console.print(
            f"        {escape(result.detail)}",
            highlight=False,
            soft_wrap=True,
            style="dim" if result.outcome is Outcome.SKIPPED else "",
        )


def show_verdict(console: Console, report: Report) -> None:
    """What came of the run."""
    found = counts(report.results)
    judged = [row for row in report.coverage if row.outcome is not Outcome.SKIPPED]
    met = sum(row.outcome is Outcome.PASSED for row in judged)
    word, colour = VERDICTS[report.verdict]
    console.print(
        f"\n[bold {colour}]{word}[/]: "
        + ", ".join(f"{number} {name}" for name, number in found.items() if number)
        + f"; {met} of {len(report.coverage)} requirements met, {len(report.coverage) - len(judged)} not judged",
        highlight=False,
    )
