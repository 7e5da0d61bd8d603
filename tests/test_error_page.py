"""docs/errors.md is what the gateway answers, and shows the whole catalogue."""

import asyncio
from functools import cache

import httpx
import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from gateway.errors import ErrorKind
from schemas import reference_pages
from tests import error_page
from tests.error_examples import EXAMPLES
from tests.house import BASE
from tests.issue_types import ISSUE_TYPES


@cache
def answers() -> tuple[httpx.Response, ...]:
    return tuple(asyncio.run(error_page.answers()))


def test_the_page_is_what_the_gateway_answers() -> None:
    text = error_page.PAGE.read_text(encoding="utf-8")
    assert text == error_page.page(list(answers())), "run python -m tests.error_page"


@pytest.mark.parametrize("kind", ErrorKind, ids=lambda kind: kind.value.code)
def test_every_kind_of_error_has_an_example_under_its_own_status(kind: ErrorKind) -> None:
    shown = [answer.status_code for answer in answers() if kind.value.code in error_page.codes(answer)]
    assert kind.value.status in shown


def test_every_answer_is_a_valid_operation_outcome_with_a_retry_verb() -> None:
    for example, answer in zip(EXAMPLES, answers(), strict=True):
        told = answer.json()
        OperationOutcome.model_validate(told)
        for issue in told["issue"]:
            assert issue["code"] in ISSUE_TYPES, example.title
            verbs = [e["valueCode"] for e in issue["extension"] if e["url"].endswith("/retry")]
            assert len(verbs) == 1 and verbs[0] in error_page.RETRY, example.title
            assert issue["diagnostics"], example.title


def test_there_are_twenty_broken_messages_or_more() -> None:
    assert len(EXAMPLES) >= 20
    assert len({example.title for example in EXAMPLES}) == len({example.broken for example in EXAMPLES})


def test_an_issue_about_a_field_leads_to_an_anchor_of_the_reference() -> None:
    pages, links = reference_pages.pages(), set()
    for example, answer in zip(EXAMPLES, answers(), strict=True):
        for issue in answer.json()["issue"]:
            for link in [e["valueUrl"] for e in issue["extension"] if e["url"].endswith("/reference")]:
                page, _, anchor = link.removeprefix(f"{BASE}/docs/reference/messages/").partition("#")
                assert f'<a id="{anchor}"></a>' in pages[page.replace("/", "-") + ".md"], example.title
                links.add(page)
    assert links == {"EDXL-DE/v3", "RC-DE/v3", "RC-EDA/v3", "RC-REF/v3", "RS-EDA/v3"}


def test_errors_that_are_to_be_tried_later_say_when() -> None:
    for example, answer in zip(EXAMPLES, answers(), strict=True):
        if answer.status_code in {429, 503}:
            assert int(answer.headers["retry-after"]) > 0, example.title
