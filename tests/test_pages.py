"""The written pages and the contract's messages: links lead somewhere, JSON is JSON, and what is shown would be accepted."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway import edxl, translation, validation
from tests.openapi_documents import Place, document, follow, judge

ROOT = Path(__file__).parents[1]


def shown(name: str) -> Any:
    """An example of the contract."""
    return document("gateway.yaml")["components"]["examples"][name]["value"]


@pytest.mark.parametrize("name", ["EnvelopeCase", "EnvelopeReference"])
def test_the_messages_of_the_contract_have_no_issue(name: str) -> None:
    assert validation.judge(edxl.message(shown(name), "v3"), strict_codes=True) == ()


def test_the_three_body_kinds_of_the_contract_say_the_same_message() -> None:
    message = shown("EnvelopeReference")
    assert edxl.decode(shown("XmlReference").encode(), edxl.XML, "v3").document == message
    bundle = shown("BundleReference")
    assert translation.canonical_issues(bundle) == ()
    assert translation.from_fhir(bundle) == message


def test_the_message_of_the_readme_is_a_whole_envelope() -> None:
    envelope = follow(Place("gateway.yaml", "", {"$ref": "#/components/schemas/Envelope"}))
    message = json.loads((ROOT / "docs" / "examples" / "rs-eda.json").read_text(encoding="utf-8"))
    assert judge(envelope, message) == []
    assert validation.judge(edxl.message(message, "v3"), strict_codes=True) == ()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/decisions.md"])
def test_pages_link_to_files_that_exist_and_show_sound_json(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^):#]+)\)", text)
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        json.loads(block)
