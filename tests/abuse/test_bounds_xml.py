"""XML of tens of thousands of elements or attributes that no message has is refused before its tree is made."""

import tracemalloc

import pytest

from gateway.edxl import xml_codec
from gateway.edxl.xml_parser import MAX_ATTRIBUTES, MAX_FOREIGN
from tests.xml_samples import BODY, refusal, swapped

FOREIGN = '<f:x xmlns:f="urn:f"/>'
ATTRIBUTES = " ".join(f"a{number}=''" for number in range(80_000))
INPUTS = {
    "foreign elements": swapped("<caseId>", FOREIGN * 47_000 + "<caseId>"),
    "long namespace": swapped("<caseId>", f'<g xmlns:f="{"u" * 250}">' + "<f:x/>" * 49_000 + "</g><caseId>"),
    "one tag of attributes": swapped("<caseId>", f"<caseId {ATTRIBUTES}>"),
    "many tags of attributes": swapped("<caseId>", "<caseId a='' b='' c='' d=''/>" * 20_000 + "<caseId>"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_is_refused_before_objects_are_made_of_it(name: str) -> None:
    body = INPUTS[name]
    assert len(body) > 200_000
    tracemalloc.start()
    (issue,) = refusal(body, 422)
    peak = tracemalloc.get_traced_memory()[1] - len(body)
    tracemalloc.stop()
    assert "remove" in issue.diagnostics.lower()
    assert peak < 1_500_000  # the trees took 10 MB and more


def test_a_few_of_them_are_judged_in_place() -> None:
    few = swapped("<caseId>", FOREIGN * MAX_FOREIGN + "<caseId>")
    assert xml_codec.decode(few.encode(), "v3").body["x"]
    some = " ".join(f"a{number}=''" for number in range(MAX_ATTRIBUTES))
    (issue,) = refusal(swapped("<caseId>", f"<caseId {some}>"), 422)
    assert issue.path.endswith("createCaseHealth.caseId")


def test_repeated_elements_are_counted_up_to_a_bound() -> None:
    *_, last = refusal(swapped("<caseId>", "<caseId>1</caseId>" * 40_000 + "<caseId>"), 422)
    assert last.diagnostics.startswith("At least 1000 more places")
    assert BODY
