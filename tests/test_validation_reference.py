"""Each issue about a field leads to that field in the generated reference."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from gateway import edxl, outcome, validation
from gateway.errors import ErrorKind, Issue, Refused
from gateway.reference import FOLDER, MESSAGE, FieldIssue, about, link
from schemas import ALL_ROOT_KEYS, json_schema, reference_pages, root_key
from schemas.fields import Field, table
from tests.house import case as sent_case
from tests.house import house
from tests.strategies import enveloped
from tests.validation_samples import CASE, case, changed, inner, judged, read
from tests.xml_samples import swapped

SITE = "https://gateway.test"
PLACE = "content[0].jsonContent.embeddedJsonContent.message"


@cache
def anchors(page: str) -> frozenset[str]:
    """The anchors of a generated page, `RS-EDA/v3`, each there once."""
    text = reference_pages.pages()[page.replace("/", "-") + ".md"]
    found = re.findall(r'<a id="([^"]+)"></a>', text)
    assert len(found) == len(set(found))
    return frozenset(found)


def places(field: Field, path: str) -> Iterator[tuple[str, str]]:
    """A path with indexes as issues write it, and the anchor, of every field below."""
    for member in field.fields:
        below = f"{path}.{member.name}" + ("[3]" if member.repeats else "")
        yield below, re.sub(r"\[3\]", "", below)
        yield from places(member, below)


@pytest.mark.parametrize(("message_type", "version"), json_schema.tables())
def test_every_field_of_every_table_has_its_anchor(message_type: str, version: str) -> None:
    page = f"{message_type}/{version}"
    root = table(message_type, version).root
    beside = {"EDXL-DE": "", "RC-DE": PLACE}.get(message_type, f"{PLACE}.{root.name}")
    found = {root.name}
    for path, anchor in places(root, root.name):
        found.add(anchor)
        if anchor.endswith("embeddedJsonContent.message"):
            continue  # told by the header's page
        issue = Issue(ErrorKind.SCHEMA, "", (beside + path.removeprefix(root.name)).lstrip("."), "/")
        (known,) = about([issue], version)
        assert link(known) == f"{FOLDER}{page}#{anchor}"
    assert found == anchors(page)


@pytest.mark.parametrize(
    ("path", "page"),
    [
        (f"{CASE}.patient[0].extra", "RS-EDA/v3#createCaseHealth.patient"),
        (CASE, "RS-EDA/v3#createCaseHealth"),
        (f"{PLACE}.extra", "RC-DE/v3#message"),
        (PLACE, "RC-DE/v3#message"),
        ("extra", "EDXL-DE/v3#edxlDistribution"),
        ("content[1].jsonContent", "EDXL-DE/v3#edxlDistribution.content.jsonContent"),
        (
            f"{PLACE.replace('[0]', '[4]')}.reference.step",
            "RC-REF/v3#reference.step",
        ),
    ],
)
def test_what_no_table_has_is_told_by_what_is_around_it(path: str, page: str) -> None:
    (issue,) = about([Issue(ErrorKind.SCHEMA, "", path, "/")], "v3")
    assert link(issue) == FOLDER + page
    where, _, anchor = page.partition("#")
    assert anchor in anchors(where)


def test_what_is_no_field_has_no_link() -> None:
    without_place = Issue(ErrorKind.UNREADABLE, "")
    (kept,) = about([without_place], "v3")
    assert kept is without_place
    assert link(kept) == link(Issue(ErrorKind.PARAMETER, "", "query.limit", "/query/limit")) == ""
    assert link(FieldIssue(ErrorKind.SCHEMA, "", "content", model_version="v9")) == ""


def test_every_issue_of_a_judged_message_leads_to_an_anchor() -> None:
    def spoil(document: dict[str, object]) -> None:
        del document["dateTimeSent"]
        inner(document).update(sentAt=7, extra=1)
        del inner(document)["recipient"]
        changed(owner=7, patient=[{"sex": 1}], creation=None)(document)
        inner(document)["createCaseHealth"]["qualification"]["riskThreat"][0]["code"] = "X"

    told = judged(spoil)
    assert len(told) > 7
    assert {link(issue).split("/")[4] for issue in told.values()} == {"EDXL-DE", "RC-DE", "RS-EDA"}
    for issue in told.values():
        page, _, anchor = link(issue).removeprefix(FOLDER).partition("#")
        assert anchor in anchors(page), issue.path
    assert link(told[f"{CASE}.owner"]) == f"{FOLDER}RS-EDA/v3#createCaseHealth.owner"


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_the_page_is_that_of_the_message_s_own_version(version: str) -> None:
    for key, message_type in ALL_ROOT_KEYS[version].items():
        assert root_key(message_type, version) == key
        message = edxl.message(enveloped(key, {"extra": 1}), version)
        links = {link(issue) for issue in validation.judge(message)}
        assert f"{FOLDER}{message_type}/{version}#{key}" in links


def test_the_form_of_xml_leads_to_its_field_too() -> None:
    body = swapped("<caseId>", '<caseId id="1">').encode()
    with pytest.raises(Refused) as refused:
        edxl.decode(body, edxl.XML, "v3")
    assert [link(issue) for issue in refused.value.issues] == [f"{FOLDER}RS-EDA/v3#createCaseHealth.caseId"]


def test_both_forms_of_an_answer_carry_the_link() -> None:
    document = enveloped("createCaseHealth", case())
    inner(document)["createCaseHealth"]["owner"] = 7
    issues = validation.judge(read(document))
    expected = f"{SITE}{FOLDER}RS-EDA/v3#createCaseHealth.owner"
    told = outcome.operation_outcome(issues, site=SITE)
    OperationOutcome.model_validate(told)
    extension = told["issue"][0]["extension"][-1]
    assert extension == {
        "url": f"{outcome.DEFAULT_BASE}/StructureDefinition/reference",
        "valueUrl": expected,
    }
    problem = outcome.problem_details(issues, 422, "urn:request:1", site=SITE)
    assert [error.get("reference") for error in problem["errors"]] == [expected]
    plain = outcome.problem_details((Issue(ErrorKind.QUOTA, "Wait."),), 429, "urn:request:1")
    assert "reference" not in plain["errors"][0]


def test_the_names_of_the_path_to_the_message_are_those_of_the_envelope_s_table() -> None:
    for version in ALL_ROOT_KEYS:
        field = table("EDXL-DE", version).root
        for name in MESSAGE:
            member = field.child(name)
            assert member is not None
            field = member


async def test_the_link_of_an_answer_opens_the_page_with_that_anchor(tmp_path: Path) -> None:
    async with house(tmp_path) as gateway:
        told = (await gateway.send(sent_case(1, caseId=7) | {"distributionKind": "Telegram"})).json()
        links = [e["valueUrl"] for i in told["issue"] for e in i["extension"] if "valueUrl" in e]
        assert len(links) == 2
        for url in links:
            page, _, anchor = url.partition("#")
            answer = await gateway.client.get(page)
            assert answer.status_code == 200 and f'id="{anchor}"' in answer.text
