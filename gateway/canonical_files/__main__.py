"""`python -m gateway.canonical_files`: make `schemas/canonical/fhir/` and `docs/mappings/` anew from the mapping tables."""

import sys

from gateway.canonical_files import write
from gateway.errors import ConfigurationError

try:
    for path in write():
        sys.stdout.write(f"made {path}\n")
except ConfigurationError as error:
    sys.exit(f"canonical files: {error}")
