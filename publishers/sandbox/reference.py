"""The table of scenarios as a page of the documentation: `python -m publishers.sandbox.reference` writes it."""

from pathlib import Path

from publishers.sandbox.scenarios import SCENARIOS, Scenario

FILE = Path(__file__).parents[2] / "docs" / "reference" / "sandbox-scenarios.md"
HEAD = """# Sandbox scenarios

<!-- Made by `python -m publishers.sandbox.reference` from publishers/sandbox/scenarios.py. -->

Send a message to the recipient, or send the header with a message to anybody: the scenario is played, and it ends the same way for the same
seed. [How to use the sandbox](../how-to/sandbox.md) tells more.

| scenario | recipient | header | what happens |
|---|---|---|---|
"""


def page() -> str:
    """The page's text."""
    return HEAD + "".join(map(_row, SCENARIOS))


def _row(one: Scenario) -> str:
    recipient = f"`{one.recipient}`" if one.recipient else "-"
    header = f"`{one.header}`" if one.header else "-"
    return f"| {one.label} | {recipient} | {header} | {one.happens} |\n"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
