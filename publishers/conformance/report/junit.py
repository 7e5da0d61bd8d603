"""A report as JUnit XML, as CI servers read it."""

import re
from xml.etree import ElementTree as ET

from publishers.conformance.results import Outcome, Report, counts

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production Char
TAGS = {Outcome.FAILED: "failure", Outcome.ERROR: "error", Outcome.SKIPPED: "skipped"}


def junit(report: Report) -> bytes:
    """One test suite, a test case for each check."""
    found = counts(report.results)
    suite = ET.Element(
        "testsuite",
        name=f"{report.suite} {report.kind}",
        tests=str(len(report.results)),
        failures=str(found["failed"]),
        errors=str(found["error"]),
        skipped=str(found["skipped"]),
        time=f"{sum(result.seconds for result in report.results):.3f}",
        timestamp=report.started_at,
    )
    for result in report.results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"conformance.{report.kind}",
            name=result.check,
            time=f"{result.seconds:.3f}",
        )
        properties = ET.SubElement(case, "properties")
        for requirement in result.requirements:
            ET.SubElement(properties, "property", name="requirement", value=requirement)
        if result.outcome in TAGS:
            told = ET.SubElement(case, TAGS[result.outcome], message=_FORBIDDEN.sub("\ufffd", result.detail))
            told.text = _FORBIDDEN.sub("\ufffd", f"{result.title}\n{result.detail}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
