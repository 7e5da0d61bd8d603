"""Has all three judges look at many generated messages: `python -m tests.judges.everything [COUNT]`, by default 200 of every
type and version. Prints what they find; 1 where they find anything. It takes minutes.
"""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from gateway import translation
from gateway.model import JsonObject
from tests.judges import asking
from tests.test_translation import SERVED, message, seeded_documents


def bundles(message_type: str, version: str, count: int) -> Iterator[JsonObject]:
    """The Bundles of seeded documents of a type, odd texts and empty lists among them."""
    for document in seeded_documents(message_type, version, count):
        yield translation.to_fhir(message(document, version))


def main(count: int) -> int:
    """The number of Bundles that a judge refuses."""
    started, seen, refused = time.monotonic(), 0, 0
    medplum = asking.Medplum()
    with ThreadPoolExecutor(1) as node:
        for message_type, version in SERVED:
            made = list(bundles(message_type, version, count))
            told = node.submit(lambda: [medplum(bundle) for bundle in made])  # noqa: B023 - awaited in this turn
            ours = [[*asking.fhir_resources(bundle), *asking.hl7(bundle)] for bundle in made]
            found = [[*one, *other] for one, other in zip(ours, told.result(), strict=True)]
            bad = [issues for issues in found if issues]
            seen, refused = seen + len(made), refused + len(bad)
            sys.stdout.write(f"{message_type:<12} {version}  {len(made)} Bundles, {len(bad)} refused\n")
            sys.stdout.writelines(f"    {issue}\n" for issue in (bad[0] if bad else ()))
            sys.stdout.flush()
    medplum.close()
    sys.stdout.write(f"{seen} Bundles, {refused} refused, {time.monotonic() - started:.0f} s\n")
    return refused


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 200) else 0)
