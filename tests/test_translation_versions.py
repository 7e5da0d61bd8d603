"""A table that is like another version's: what it keeps, renames, says itself and leaves out."""

from typing import Any

import orjson
import pytest

import schemas
from gateway.errors import ConfigurationError
from gateway.model import JsonObject
from gateway.translation import canonical, placing, residue, tables
from tests.strategies import enveloped
from tests.test_translation import MESSAGE, at, said

TEXT = {"type": "string"}


def _object(**properties: Any) -> JsonObject:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _list(item: Any) -> JsonObject:
    return {"type": "array", "items": item}


NEW = _object(
    id=TEXT,
    answer=_object(refused={"type": "boolean"}, step=TEXT),
    unit=_list(_object(name=TEXT, plate=TEXT, skill=_list(TEXT))),
    place=_object(lat={"type": "number"}, lon={"type": "number"}),
    note=TEXT,
)
MIDDLE = _object(
    id=TEXT,
    refused={"type": "boolean"},
    vehicle=_list(_object(name=TEXT, skill=TEXT)),
    place=_list(_object(lat={"type": "number"}, lon={"type": "number"})),
)
OLD = _object(id=TEXT, declined={"type": "boolean"}, vehicle=_list(_object(label=TEXT, skill=TEXT)))
TABLES = {
    "RC-REF/v3.mapping": """
include RC-DE/v3.mapping
at message.reference
resource header MessageHeader
  >  response.identifier  header-uuid id
  >  response.code  ack-code answer.refused answer.step
  answer.step  response.extension[step].valueString
  answer.refused  response.extension[refused].valueBoolean  boolean
resource task Task
  =  intent  order
  =  status  requested
  id  identifier[id:task].value
  note  note[0].text
  =  note[0].authorString  gateway
  >  location.reference  ref place
resource unit Location for unit[]
  =  mode  instance
  name  name
  plate  identifier[id:plate].value
  =  identifier[id:plate].use  official
resource skill CareTeam for unit[].skill[]
  .  name
resource place Location when place
  place.{lat,lon}  position.{latitude,longitude}  number
""",
    "RC-REF/v2.mapping": """
at message.reference
rename answer .
rename unit vehicle
rename place place[1]
like RC-REF/v3.mapping
resource skill CareTeam for vehicle[] when skill
  skill  name
""",
    "RC-REF/v1.mapping": """
at message.reference
rename vehicle[].name vehicle[].label
rename refused declined
like RC-REF/v2.mapping
resource task Task
  id  identifier[id:old-task].value
""",
    "RC-REF/v3.schema.json": orjson.dumps(NEW).decode(),
    "RC-REF/v2.schema.json": orjson.dumps(MIDDLE).decode(),
    "RC-REF/v1.schema.json": orjson.dumps(OLD).decode(),
}


class _Files(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return (schemas.ROOT / name).read_text(encoding="utf-8")


def compiled(version: str, **changed: str) -> tables.Translator:
    texts = {f"RC-REF/{name}.mapping": text for name, text in changed.items()}
    return tables.compile_table("RC-REF", version, _Files(TABLES | texts).__getitem__)


def bundle_of(made: tables.Translator, body: JsonObject) -> JsonObject:
    """The Bundle of a body, which must be canonical and come back."""
    document = enveloped("reference", body)
    marks: list[residue.Mark] = []
    kept = residue.take_out(document, made.sieve, marks)
    bundle = made.write_any(kept, at(kept, MESSAGE), "urn:uuid:00000000-0000-8000-8000-", False)
    bundle["entry"][0]["resource"]["extension"] += residue.extensions(marks, made.names)
    assert canonical.issues(bundle, made.court) == ()
    read = made.read(placing.slots(bundle, made.layout, made.names["sd"] + "source-path"))
    read["content"] = [{"jsonContent": {"embeddedJsonContent": {"message": read.pop("message")}}}]
    told = residue.read_marks(bundle["entry"][0]["resource"]["extension"], made.names)
    assert said(residue.put_back(read, told)) == said(document)
    return bundle


def resources(bundle: JsonObject, kind: str) -> list[JsonObject]:
    """What the resources of a kind say beyond type and profile."""
    found = [entry["resource"] for entry in bundle["entry"]]
    return [
        {name: value for name, value in resource.items() if name not in {"resourceType", "meta", "extension"}}
        for resource in found
        if resource["meta"]["profile"][0].endswith(f"/hub-{kind}")
    ]


def test_a_renamed_path_goes_to_the_same_element() -> None:
    new = bundle_of(compiled("v3"), {"unit": [{"name": "a"}, {"name": "b"}]})
    middle = bundle_of(compiled("v2"), {"vehicle": [{"name": "a"}, {"name": "b"}]})
    old = bundle_of(compiled("v1"), {"vehicle": [{"label": "a"}, {"label": "b"}]})
    assert resources(new, "unit") == resources(middle, "unit") == resources(old, "unit")
    assert [unit["name"] for unit in resources(old, "unit")] == ["a", "b"]


def test_what_the_version_lacks_is_left_out_with_what_stood_beside_it() -> None:
    new = bundle_of(compiled("v3"), {"id": "1", "note": "x", "unit": [{"plate": "p"}]})
    old = bundle_of(compiled("v1"), {"id": "1", "vehicle": [{"label": "a"}]})
    assert resources(new, "task")[0]["note"] == [{"text": "x", "authorString": "gateway"}]
    assert "note" not in resources(old, "task")[0]
    assert resources(new, "unit")[0]["identifier"][0]["use"] == "official"
    assert "identifier" not in resources(old, "unit")[0]
    assert resources(old, "place") == [] and "location" not in resources(old, "task")[0]


def test_a_derived_value_is_made_from_what_there_is() -> None:
    assert _code(bundle_of(compiled("v3"), {"answer": {"step": "ERREUR"}})) == "fatal-error"
    assert _code(bundle_of(compiled("v2"), {"refused": True})) == "fatal-error"
    assert _code(bundle_of(compiled("v2"), {"refused": False})) == "ok"
    assert _code(bundle_of(compiled("v1"), {"declined": True})) == "fatal-error"


def _code(bundle: JsonObject) -> Any:
    return bundle["entry"][0]["resource"]["response"]["code"]


def test_an_own_row_takes_the_place_of_the_borrowed_one() -> None:
    middle, old = bundle_of(compiled("v2"), {"id": "1"}), bundle_of(compiled("v1"), {"id": "1"})
    assert [r["identifier"][0]["system"].rpartition("/")[2] for r in resources(middle, "task")] == ["task"]
    assert [r["identifier"][0]["system"].rpartition("/")[2] for r in resources(old, "task")] == ["old-task"]


def test_a_resource_is_declared_anew() -> None:
    assert len(resources(bundle_of(compiled("v3"), {"unit": [{"skill": ["a", "b"]}]}), "skill")) == 2
    for version in ("v2", "v1"):
        skills = resources(bundle_of(compiled(version), {"vehicle": [{"skill": "a"}, {}]}), "skill")
        assert skills == [{"name": "a"}]


def test_the_item_of_a_list_of_one_is_said_and_a_longer_list_travels_as_it_is() -> None:
    made = compiled("v2")
    one = bundle_of(made, {"place": [{"lat": 47.5, "lon": -1.5}]})
    assert resources(one, "place") == [{"position": {"latitude": 47.5, "longitude": -1.5}}]
    odd: list[list[JsonObject]] = [[{"lat": 1, "lon": 2}, {"lat": 3, "lon": 4}], [], [{}]]
    for places in odd:
        assert resources(bundle_of(made, {"place": places}), "place") == []
    document = enveloped("reference", {"place": [{"lat": 1, "lon": 2}]})
    assert made.fits(document)
    at(document, MESSAGE)["reference"]["place"].append({"lat": 3, "lon": 4})
    assert not made.fits(document)


@pytest.mark.parametrize(
    ("version", "table", "says"),
    [
        ("v2", "at message.reference\nlike RC-REF/v3.mapping", "no row for .*refused"),
        ("v2", TABLES["RC-REF/v2.mapping"] + "  invented  status", "the schema has no leaf"),
        ("v1", "at message.reference\nlike RC-REF/v2.mapping", r"no row for .*vehicle\[\].label"),
    ],
)
def test_what_no_version_says_is_named(version: str, table: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        compiled(version, **{version: table})
