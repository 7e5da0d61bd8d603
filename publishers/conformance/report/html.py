"""A report as one HTML page that needs nothing from elsewhere."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
VERDICTS = {
    "passed": "Passed",
    "failed": "Not passed",
    "incomplete": "Incomplete: nothing failed, but not everything needed was judged",
}
KINDS = {"server": "gateway", "software": "publisher's software"}


def page(document: dict[str, Any]) -> bytes:
    """The page of a report's JSON document."""
    required = [row for row in document["requirements"] if row["checks"]]
    bad = ("failed", "error")
    view = {
        "report": document,
        "verdict": VERDICTS[document["verdict"]],
        "what": KINDS[document["kind"]],
        "findings": [row for row in document["results"] if row["outcome"] in bad],
        "rest": [row for row in document["results"] if row["outcome"] not in bad],
        "met": sum(row["outcome"] == "passed" for row in required),
        "judged": sum(row["outcome"] != "skipped" for row in required),
    }
    return _TEMPLATES.get_template("report.html.j2").render(view).encode()
