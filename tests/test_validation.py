import copy
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemas
from gateway import validation
from gateway.edxl import json_codec
from gateway.errors import ErrorKind
from gateway.validation import structure
from gateway.validation.place import json_pointer, simple_path
from gateway.validation.wording import SHOWN, nearest, shown
from schemas import codes
from schemas.fields import table
from tests.strategies import ODD_TEXTS, enveloped, messages, mutated
from tests.validation_samples import CASE, MESSAGE, Change, Json, case, changed, inner, judged, read, set_

CATALOGUE = [(t, version) for version, roots in schemas.ALL_ROOT_KEYS.items() for t in sorted(roots.values())]


def follow(document: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        document = document[int(name) if isinstance(document, list) else name]
    return document


def test_a_good_message_has_no_issues() -> None:
    message = read(enveloped("createCaseHealth", case()))
    assert validation.is_valid(message)
    assert validation.judge(message) == ()
    assert validation.judge(message, strict_codes=True) == ()


@pytest.mark.parametrize(("message_type", "version"), CATALOGUE)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=15)
@given(data=st.data())
def test_what_the_strategies_make_is_valid(message_type: str, version: str, data: st.DataObject) -> None:
    body = data.draw(messages(message_type, version))
    document = enveloped(schemas.root_key(message_type, version), body)
    assert structure.whole_document(message_type, version).is_valid(document)
    assert [
        i for i in structure._issues(document, version) if "not taken here yet" not in i.diagnostics
    ] == []
    if message_type in schemas.message_types(version):
        message = json_codec.message(document, version)
        ids_apart = [i for i in validation.judge(message) if "printable" not in i.diagnostics]
        assert [issue for issue in ids_apart if issue.severity == "error"] == []


@pytest.mark.parametrize("root_key", ["createCaseHealth", "reference", "error"])
def test_issues_are_found_where_the_verdict_is_no_and_lead_into_the_document(root_key: str) -> None:
    body: Json = {
        "createCaseHealth": case(),
        "reference": {"distributionID": "fr.health.samu750_1", "step": "RECU"},
        "error": {
            "errorCode": {"statusCode": 300, "statusString": "INVALID_MESSAGE"},
            "errorCause": "caseId",
            "referencedDistributionID": "fr.health.samu440_1",
        },
    }[root_key]
    rng = random.Random(root_key)
    verdicts = set()
    for _ in range(1_500):
        document = mutated(enveloped(root_key, body), rng)
        message = read(document)
        valid = validation.is_valid(message)
        verdicts.add(valid)
        assert bool(list(structure._issues(document, "v3"))) != valid, document
        for issue in validation.judge(message):
            follow(document, issue.pointer)  # KeyError, IndexError if it leads nowhere
            assert issue.diagnostics.startswith("Found ") or "No message type" in issue.diagnostics
    assert verdicts == {True, False}


def test_all_issues_are_told_at_once_each_with_its_place() -> None:
    def change(document: Json) -> None:
        document["dateTimeSent"] = "yesterday"
        document["keyword"] = "x"
        del inner(document)["sender"]["URI"]
        body = inner(document)["createCaseHealth"]
        del body["owner"]
        body["qualification"]["origin"] = "116 117"
        body["patient"][0]["detail"]["weight"] = "70"
        body["location"]["externalLocationId"][0]["value"] = 123456789

    issues = judged(change)
    place = f"{CASE}.location.externalLocationId[0].value"
    assert {path: issue.kind for path, issue in issues.items()} == {
        "dateTimeSent": ErrorKind.ENVELOPE,
        "keyword": ErrorKind.ENVELOPE,
        f"{MESSAGE}.sender.URI": ErrorKind.ENVELOPE,
        f"{CASE}.owner": ErrorKind.SCHEMA,
        f"{CASE}.qualification.origin": ErrorKind.SCHEMA,
        f"{CASE}.patient[0].detail.weight": ErrorKind.SCHEMA,
        place: ErrorKind.SCHEMA,
    }
    assert issues[place].pointer == "/" + place.replace("[0]", "/0").replace(".", "/")
    assert (
        issues[f"{CASE}.owner"].pointer
        == "/content/0/jsonContent/embeddedJsonContent/message/createCaseHealth"
    )
    assert {issue.severity for issue in issues.values()} == {"error"}


@pytest.mark.parametrize(
    ("members", "path", "told"),
    [
        (
            {"creation": "2026-01-31T10:00:00Z"},
            "creation",
            'Found "2026-01-31T10:00:00Z"; expected a date and time',
        ),
        (
            {"creation": "2026-02-30T10:00:00+01:00"},
            "creation",
            "expected a date and time written YYYY-MM-DD",
        ),
        ({"caseId": "a.b"}, "caseId", 'Found "a.b"; expected {country}.{domain}.{organisation}.{local id}'),
        (
            {"perimeter": "amu"},
            "perimeter",
            'expected one of AMU, NEONAT, PSY, SNP (code list filiere). Nearest: "AMU".',
        ),
        ({"perimeter": "NEONATE"}, "perimeter", 'Nearest: "NEONAT".'),
        (
            {"perimeter": None},
            "perimeter",
            "Found null; expected one of AMU, NEONAT, PSY, SNP (code list filiere). Give",
        ),
        (
            {"patient": {"patientId": "x"}},
            "patient",
            "Found an object with 1 member; expected a list of 0 or more",
        ),
        ({"patient": ["x"]}, "patient[0]", 'Found "x"; expected an object with patientId.'),
        (
            {"location": []},
            "location",
            "Found a list of 0; expected an object. It is written as a list: send a value.",
        ),
        ({"owner": 440}, "owner", "Found 440; expected {country}"),
        ({"perimetre": "AMU"}, "perimetre", "Write perimeter if that was meant, or leave it out."),
        (
            {"additionalInformation": {"customMap": [{"key": "a", "value": "b"}] * 4}},
            "additionalInformation.customMap",
            "Found a list of 4; expected a list of 0 to 3, each an object with key, value. Send 0 to 3 entries.",
        ),
        (
            {
                "patient": [
                    {
                        "patientId": "fr.health.samu440.patient.1",
                        "identity": {"strictFeatures": {"sex": "masculin"}},
                    }
                ]
            },
            "patient[0].identity.strictFeatures.sex",
            'expected one of M, F, O, UN (code list sexe). Nearest: "M".',
        ),
    ],
)
def test_an_issue_says_what_was_found_expected_and_to_be_changed(members: Json, path: str, told: str) -> None:
    issues = judged(changed(**members))
    assert list(issues) == [f"{CASE}.{path}"]
    assert told in issues[f"{CASE}.{path}"].diagnostics


def test_an_entry_of_a_list_is_named_by_its_index() -> None:
    good = case()["patient"][0]
    issues = judged(changed(patient=[good, good, {"patientId": 3}]))
    assert list(issues) == [f"{CASE}.patient[2].patientId"]


def test_a_missing_member_is_named_with_its_title() -> None:
    issues = judged(lambda document: inner(document)["createCaseHealth"].pop("owner"))
    assert issues[f"{CASE}.owner"].diagnostics.startswith(
        "Found no owner (CRRA traitant); expected {country}"
    )


def test_an_error_needs_no_header_and_a_case_does() -> None:
    document = enveloped("createCaseHealth", case())
    inner(document).pop("sentAt")
    assert not validation.is_valid(read(document))
    error = {
        "errorCode": {"statusCode": 1, "statusString": "a"},
        "errorCause": "b",
        "referencedDistributionID": "c",
    }
    document = enveloped("error", error)
    assert set(inner(document)) == {"error"}
    assert validation.is_valid(read(document))


def _twice(document: Json) -> None:
    document["content"].append(copy.deepcopy(document["content"][0]))
    document["content"][1]["jsonContent"]["embeddedJsonContent"]["message"].pop("kind")


def test_several_content_items_are_refused_and_judged_all_the_same() -> None:
    issues = judged(_twice)
    second = MESSAGE.replace("content[0]", "content[1]")
    assert {p: i.kind for p, i in issues.items()} == {
        "content": ErrorKind.CONTENT_COUNT,
        f"{second}.kind": ErrorKind.ENVELOPE,
    }


def test_one_content_item_only_even_where_the_message_knows_its_type() -> None:
    document = enveloped("createCaseHealth", case())
    document["content"] *= 2
    assert not validation.is_valid(replace(read(document), message_type="RS-EDA"))


def test_the_validator_has_the_last_word() -> None:
    # were the walk to see nothing where the validator refuses, the message would still be refused
    told = list(structure.issues(read(enveloped("createCaseHealth", case()))))
    assert [(issue.kind, issue.severity) for issue in told] == [(ErrorKind.SCHEMA, "error")]


@pytest.mark.parametrize(
    ("change", "path", "told"),
    [
        (lambda m: m.pop("createCaseHealth"), MESSAGE, "Found no use case; expected one of createCase"),
        (
            lambda m: m.update(createCaseHeath=m.pop("createCaseHealth")),
            f"{MESSAGE}.createCaseHeath",
            "Write createCaseHealth if that was meant.",
        ),
        (
            lambda m: m.update(reference={"distributionID": "a"}),
            MESSAGE,
            "Found 2 use cases (createCaseHealth, reference)",
        ),
        (
            lambda m: m.update(technical=m.pop("createCaseHealth")),
            f"{MESSAGE}.technical",
            'Found "technical"',
        ),
    ],
)
def test_a_message_holds_one_known_use_case(change: Change, path: str, told: str) -> None:
    issues = judged(lambda document: change(inner(document)))
    assert issues[path].kind is ErrorKind.UNKNOWN_TYPE
    assert told in issues[path].diagnostics


def test_a_strange_member_beside_header_and_use_case_passes_as_officially() -> None:
    assert judged(set_("message", "comment", to="x")) == {}


@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_a_type_that_is_known_but_not_taken_is_refused_by_its_name(version: str) -> None:
    waiting = schemas.ALL_ROOT_KEYS[version].items() - schemas.ROOT_KEYS[version].items()
    for root_key, message_type in waiting:
        message = json_codec.message(enveloped(root_key, {"caseId": 1}), version)
        assert not validation.is_valid(message)
        issues = validation.judge(message)
        [issue] = [i for i in issues if i.kind is ErrorKind.UNKNOWN_TYPE]
        assert issue.path == f"{MESSAGE}.{root_key}"
        assert f"{message_type} is known, but not taken here yet in model {version}" in issue.diagnostics
        assert len(issues) > 1  # its content is judged all the same


@pytest.mark.parametrize(
    "second", ["emsi", "createCaseHealthUpdate", "technical", "customContent", "distributionElement"]
)
def test_no_second_use_case_may_stand_beside_the_first(second: str) -> None:
    document = enveloped("createCaseHealth", case())
    inner(document)[second] = "anything"
    assert not validation.is_valid(read(document))
    told = {issue.diagnostics for issue in validation.judge(read(document))}
    assert (
        f"Found 2 use cases (createCaseHealth, {second}); expected one. Send each in its own message." in told
    )


@pytest.mark.parametrize("part", [None, [], "x", 1, {}])
@pytest.mark.parametrize(
    "steps", [[], ["content"], ["content", 0], ["content", 0, "jsonContent"], ["descriptor"]]
)
def test_a_document_of_any_shape_is_judged(steps: list[str | int], part: Any) -> None:
    document: Any = {"": enveloped("createCaseHealth", case())}
    holder: Any = document
    for step in ["", *steps][:-1]:
        holder = holder[step]
    holder[["", *steps][-1]] = part
    if isinstance(document[""], dict):
        message = read(document[""])
        assert not validation.is_valid(message)
        assert any(i.kind in (ErrorKind.ENVELOPE, ErrorKind.CONTENT_COUNT) for i in validation.judge(message))


def test_nothing_long_and_no_text_in_a_path() -> None:
    name = "Mme Exemple née le 1er janvier"
    document = enveloped("createCaseHealth", case())
    changed(**{name: 1, "x" * 5_000: 1, "caseId": "y" * 5_000, "perimeter": "z" * 5_000})(document)
    issues = validation.judge(read(document))
    assert len(issues) == 4
    for issue in issues:
        assert name not in issue.path and len(issue.path) < 200
        assert len(issue.diagnostics) < 400 and len(issue.pointer) < 400


@given(
    st.text(max_size=100)
    | st.integers()
    | st.floats()
    | st.none()
    | st.booleans()
    | st.sampled_from(ODD_TEXTS)
)
def test_a_quoted_value_is_short(value: Any) -> None:
    if isinstance(value, int) and abs(value) >= 2**63:
        return  # no JSON number that the codec lets through
    assert len(shown(value)) <= SHOWN


def test_a_place_is_written_as_path_and_as_pointer() -> None:
    place = ("content", 0, "a_b", 2, "c")
    assert simple_path(place) == "content[0].a_b[2].c"
    assert json_pointer(place) == "/content/0/a_b/2/c"
    assert simple_path(("a", "b c", "d")) == "a"
    assert json_pointer(("a/b", "m~n", "")) == "/a~1b/m~0n/"
    assert (simple_path(()), json_pointer(())) == ("", "")


def test_a_label_leads_to_the_code_that_the_version_has() -> None:
    options = table("RS-EDA", "v2").lists["etat"]
    labels = codes.labels("etat")
    assert "PROGRAM" not in options and nearest(labels["PROGRAM"], ["OTHER"], "etat") == []
    assert nearest(labels["ACTIF"], options, "etat") == [" ACTIF"]
    assert nearest(labels["CLOTURE"].upper(), options, "etat") == ["CLOTURE"]
