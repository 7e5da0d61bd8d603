"""Mutated XML documents judged here and by the official XSDs: `python -m bench.xml_verdict [--each 20000] [--json]`.

The longer run of what `tests/test_reference_xml_verdict.py` does with 2,000 a type. Needs a checkout of the official schemas
beside the repository. Exits 1 where a verdict differs in a way that docs/xml.md does not list.
"""

import argparse
import json
import sys
import time
from collections import Counter

import schemas
from tests.test_reference_fields import samples
from tests.test_reference_xml import REFERENCE, xsd
from tests.xml_mutations import Documents
from tests.xml_verdicts import Tally, tally


def run(each: int) -> dict[str, Tally]:
    """What came out of so many mutants of each type of v2 and v3, by "RS-EDA v3"."""
    found = {}
    for version in ("v2", "v3"):
        for message_type in sorted(schemas.message_types(version)):
            name = f"{message_type} {version}"
            documents = Documents(message_type, version, samples(message_type, version))
            found[name] = tally(documents, xsd(message_type, version), each, f"{name} at length")
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.xml_verdict", description=__doc__)
    parser.add_argument("--each", type=int, default=20_000, help="documents of each type")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    if not REFERENCE.is_dir():
        sys.stderr.write(f"xml_verdict: there are no official schemas in {REFERENCE}\n")
        return 1
    started = time.perf_counter()
    found = run(wanted.each)
    differences = sum((told.differences for told in found.values()), Counter[str]())
    unexplained = [(name, kind, str(c)) for name, told in found.items() for _, kind, c in told.unexplained]
    figures = {
        "documents": sum(told.mutants for told in found.values()),
        "types": len(found),
        "valid": sum(told.valid for told in found.values()),
        "least valid of a type": min(told.valid / told.mutants for told in found.values()),
        "seconds": round(time.perf_counter() - started),
        "listed differences": dict(differences.most_common()),
        "unlisted differences": unexplained,
    }
    if wanted.json:
        print(json.dumps(figures, ensure_ascii=False, indent=2))
    else:
        print(
            *(f"{name}: {value}" for name, value in figures.items() if not isinstance(value, dict)), sep="\n"
        )
        print(*(f"{number:8} {name}" for name, number in differences.most_common()), sep="\n")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
