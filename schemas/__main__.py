"""`python -m schemas`: make every JSON Schema file anew from its field table."""

import sys

from schemas import json_schema
from schemas.fields import TableError

try:
    for name in json_schema.write():
        sys.stdout.write(f"made schemas/{name}\n")
except TableError as error:
    sys.exit(f"schemas: {error}")
