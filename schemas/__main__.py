"""`python -m schemas`: make every JSON Schema file, and every page of docs/reference/messages/, anew from its field table."""

import sys

from schemas import json_schema, reference_pages
from schemas.fields import TableError

try:
    for name in json_schema.write():
        sys.stdout.write(f"made schemas/{name}\n")
    for name in reference_pages.write():
        sys.stdout.write(f"made docs/reference/messages/{name}\n")
except TableError as error:
    sys.exit(f"schemas: {error}")
