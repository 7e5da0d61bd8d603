"""Asks FHIR R4 validators that nobody here wrote: HL7's JSON Schema of R4, @medplum/core, fhir.resources."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
INSTALLED = (MODULES / "@medplum" / "core").exists()
_SCHEMA = MODULES / "@medplum" / "definitions" / "dist" / "fhir" / "r4" / "fhir.schema.json"


@cache
def definitions() -> dict[str, Any]:
    """HL7's definitions, with its pattern of strings relaxed: French typography is full of no-break spaces."""
    text = _SCHEMA.read_text(encoding="utf-8").replace(r'"^[ \\r\\n\\t\\S]+$"', r'"^[\\s\\S]*\\S[\\s\\S]*$"')
    definitions: dict[str, Any] = json.loads(text)["definitions"]
    for name in set(re.findall(r'#/definitions/(\w+)"', text)) - set(definitions):
        definitions[name] = definitions["ResourceList"] if name == "Resource" else {}
    return definitions


@cache
def _validator(resource_type: str) -> jsonschema_rs.Draft6Validator:
    return jsonschema_rs.Draft6Validator(
        {"$ref": f"#/definitions/{resource_type}", "definitions": definitions()}
    )


def hl7(bundle: Any) -> list[str]:
    """What HL7's JSON Schema finds, resource by resource."""
    found = []
    for resource in [*(entry["resource"] for entry in bundle["entry"]), {**bundle, "entry": []}]:
        kind = resource["resourceType"]
        checked = {k: v for k, v in resource.items() if not (kind == "Bundle" and k == "entry")}
        found += [f"{kind}: {error.message}" for error in _validator(kind).iter_errors(checked)]
    return found


def fhir_resources(bundle: Any) -> list[str]:
    """What fhir.resources finds."""
    try:
        Bundle.model_validate_json(orjson.dumps(bundle))
    except ValidationError as error:
        return [f"{issue['loc']}: {issue['msg']}" for issue in error.errors()]
    return []


class Medplum:
    """@medplum/core's validateResource in one node process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "validate.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __call__(self, bundle: Any) -> list[str]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(orjson.dumps(bundle) + b"\n")
        self._process.stdin.flush()
        found: list[str] = orjson.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.communicate()
