import json
import re
from itertools import product
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from gateway import validation
from gateway.validation.checks import schema_findings
from schemas import codes, fields, json_schema
from schemas.fields import Field, Pattern, Table, TableError, parse, table

TABLE = """
table TEST v3
# a comment
list shade
  "ACTIF " | SOMBRE
  CLAIR

case               1     object       -                                  Dossier
  caseId           1     string       pattern case-id                    Identifiant
  names            1..*  string       -                                  Noms
  codes            0..3  string       pattern risque-code, codes risque  Risques
  kept             0..*!  integer     -                                  Présents
  state            0..1  string       list shade                         État
  step             0..1  string       list etape                         Etape
  side             0..1  string       one of GAUCHE | DROITE             Côté
  at               0..1  datetime     -                                  Heure
  first            1     use person   -                                  Premier
  others           0..*  use person   -                                  Autres
  free             0..1  open object  -                                  Libre

block person             object                                          Personne
  name             1     string       -                                  Nom
  weight           0..1  number       -                                  Poids
"""


def judge(schema: json_schema.Schema) -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(schema, validate_formats=True)


def test_a_table_is_read_as_it_is_written() -> None:
    source = parse(TABLE.strip(), "test")
    assert (source.message_type, source.version, source.root.name) == ("TEST", "v3", "case")
    by_name = {field.name: field for field in source.root.fields}
    counts = {n: (f.required, f.repeats, f.min_items, f.max_items) for n, f in by_name.items()}
    assert counts["caseId"] == (True, False, 0, None)
    assert counts["names"] == (True, True, 1, None)
    assert counts["codes"] == (False, True, 0, 3)
    assert counts["kept"] == (True, True, 0, None)
    assert counts["state"] == (False, False, 0, None)
    assert by_name["state"].values == ("ACTIF ", "SOMBRE", "CLAIR")
    assert by_name["step"].values[0] == "RECU"
    assert by_name["side"].values == ("GAUCHE", "DROITE")
    assert by_name["codes"].codes == "risque"
    assert by_name["others"].block == "person" and by_name["others"].title == "Autres"
    assert [field.name for field in by_name["first"].fields] == ["name", "weight"]
    assert source.at(["others", 2, "weight"]) == Field("weight", "Poids", "number", required=False)
    assert source.at(["others", 2, "height"]) is None


@pytest.mark.parametrize("change", ["plain", "published"])
def test_the_schema_says_what_the_table_says(change: str) -> None:
    source = parse(TABLE.strip(), "test")
    schema = json_schema.plain(source.root) if change == "plain" else json_schema.file_schema(source)
    valid = {"caseId": "fr.health.samu440.1", "names": ["a"], "kept": [], "first": {"name": "x"}}
    good: list[dict[str, object]] = [
        {},
        {"codes": ["R01", "R99"], "state": "ACTIF ", "step": "RECU", "side": "DROITE"},
        {"at": "2026-01-31T10:00:00+01:00", "others": [{"name": "y", "weight": 1.5}], "free": {"a": [None]}},
    ]
    bad: list[dict[str, object]] = [
        {"caseId": "a.b"},
        {"names": []},
        {"codes": ["R01"] * 4},
        {"codes": ["X01"]},
        {"kept": [1.5]},
        {"state": "ACTIF"},
        {"at": "2026-01-31T10:00:00Z"},
        {"at": "2026-02-30T10:00:00+01:00"},
        {"first": {}},
        {"others": {"name": "y"}},
        {"others": [{"name": "y", "height": 1}]},
        {"free": []},
        {"unknown": 1},
    ]
    assert [part for part in good if not judge(schema).is_valid(valid | part)] == []
    assert [part for part in bad if judge(schema).is_valid(valid | part)] == []
    for name in ("caseId", "names", "kept", "first"):
        assert not judge(schema).is_valid({key: value for key, value in valid.items() if key != name})


def test_a_block_is_written_once_in_the_published_schema() -> None:
    schema = json_schema.file_schema(parse(TABLE.strip(), "test"))
    assert list(schema["definitions"]) == ["person"]
    assert schema["definitions"]["person"]["title"] == "Personne"
    assert schema["properties"]["first"] == {"$ref": "#/definitions/person"}
    assert schema["properties"]["caseId"]["title"] == "Identifiant"


def test_blocks_of_another_table_may_be_used() -> None:
    source = parse(
        "table TEST v3\nblocks RS-EDA v3\nx  1  object  -  X\n  who  1  use detailedName  -  Qui\n", "test"
    )
    assert [field.name for field in source.root.fields[0].fields] == ["complete", "lastName", "firstName"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("table TEST v3", "TEST v3", "test:1: expected `table TYPE VERSION`"),
        ("  caseId           1  ", "  caseId           2  ", "test:8: cardinality '2'"),
        ("pattern case-id  ", "pattern casus    ", "test:8: constraint 'pattern casus'"),
        ("list etape", "list etapp", "test:13: constraint 'list etapp'"),
        ("  datetime  ", "  instant   ", "test:15: type 'instant'"),
        ("first            1     use person", "first            1     use people", "test:16: use people"),
        ("  others  ", "   others ", "test:17: indent by two spaces"),
        ("  others  ", "    others", "test:16: use person: no such block above, or fields below it"),
        ("  side  ", "  step  ", "test:7: fields there twice: step"),
        (
            "integer     -        ",
            "integer     pattern date",
            "test:11: constraint 'pattern date' on type integer",
        ),
        ("block person", "owner       ", "test: expected one root field, found 2"),
        ("Poids", "", "test:22: expected name, cardinality, type, constraint and title"),
        (
            "block person             object ",
            "block person             string ",
            "test:20: expected `block NAME`",
        ),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(old: str, new: str, told: str) -> None:
    assert old in TABLE
    with pytest.raises(TableError, match=re.escape(told)):
        parse(TABLE.strip().replace(old, new), "test")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("all of nothing", "test:3: there is no code list nothing"),
        ("without PROGRAM", "test:3: without PROGRAM: the list does not have it"),
    ],
)
def test_a_list_that_differs_from_nothing_is_refused(row: str, told: str) -> None:
    with pytest.raises(TableError, match=told):
        parse(f"table TEST v3\nlist etat\n  {row}\nx  1  object  -  X\n", "test")


def test_a_table_with_blocks_of_nowhere_is_refused() -> None:
    with pytest.raises(TableError, match="test:2: there is no table RS-NONE v3"):
        parse("table TEST v3\nblocks RS-NONE v3\nx  1  object  -  X\n", "test")


@pytest.mark.parametrize(("message_type", "version"), json_schema.tables())
def test_the_schema_files_are_up_to_date(message_type: str, version: str) -> None:
    source = table(message_type, version)
    written = schemas.file(message_type, f"{version}.schema.json").read_text(encoding="utf-8")
    assert written == json_schema.text(source), "run python -m schemas"
    assert json.loads(written)["$id"].endswith(f"{message_type}:{version}")


def test_every_type_of_the_catalogue_has_its_table() -> None:
    for version, roots in schemas.ALL_ROOT_KEYS.items():
        for root_key, message_type in roots.items():
            assert table(message_type, version).root.name == root_key
            assert schemas.root_key(message_type, version) == root_key
    catalogue = {
        (name, version) for version, roots in schemas.ALL_ROOT_KEYS.items() for name in roots.values()
    }
    parts = {(name, version) for name in ("EDXL-DE", "RC-DE") for version in schemas.VERSIONS}
    assert set(json_schema.tables()) == catalogue | parts
    assert schemas.root_key("RS-NONE", "v3") == ""


def test_only_types_with_a_mapping_table_are_taken() -> None:
    for version, known in schemas.ALL_ROOT_KEYS.items():
        taken = {kind for kind in known.values() if schemas.file(kind, f"{version}.mapping").exists()}
        assert set(schemas.message_types(version)) == taken
        assert schemas.ROOT_KEYS[version].items() <= known.items()


def test_a_list_section_says_how_a_version_differs() -> None:
    status = table("RS-EDA", "v3").at(["qualification", "details", "status"])
    assert status and status.values == tuple(codes.labels("etat"))
    older = table("RS-EDA", "v2").lists["etat"]
    assert set(codes.labels("etat")) - set(older) == {"PROGRAM", "ACTIF"}
    assert set(older) - set(codes.labels("etat")) == {"PROGRAMME", " ACTIF"}
    assert table("RS-EDA-MAJ", "v2").lists["etat"] == older  # `blocks RS-EDA v2` brings its lists


# The Hub's id patterns as it writes them: exponential in a backtracking engine, linear in the judge's.
OFFICIAL_IDS = {"case-id": r"^([a-zA-Z0-9_-]+\.?){4,10}$", "organisation-id": r"^([a-zA-Z0-9_-]+\.?){4,9}$"}


def _ids(name: str) -> tuple[jsonschema_rs.Draft7Validator, jsonschema_rs.Draft7Validator, re.Pattern[str]]:
    ours = fields.patterns()[name].regex
    return judge({"pattern": OFFICIAL_IDS[name]}), judge({"pattern": ours}), re.compile(ours, re.ASCII)


@pytest.mark.parametrize("name", OFFICIAL_IDS)
def test_the_linear_id_pattern_is_the_official_one_on_all_short_strings(name: str) -> None:
    official, ours, python = _ids(name)
    for length in range(11):
        for letters in product("a.", repeat=length):
            text = "".join(letters)
            assert official.is_valid(text) == ours.is_valid(text) == bool(python.fullmatch(text)), text


@pytest.mark.parametrize("name", OFFICIAL_IDS)
@given(
    parts=st.lists(st.text("aZ9_-é!\n ", max_size=3), max_size=13),
    end=st.sampled_from(["", ".", "\n", ".\n"]),
)
def test_the_linear_id_pattern_is_the_official_one_on_dotted_strings(
    name: str, parts: list[str], end: str
) -> None:
    official, ours, python = _ids(name)
    text = ".".join(parts) + end
    assert official.is_valid(text) == ours.is_valid(text) == bool(python.fullmatch(text))


@pytest.mark.parametrize("name", OFFICIAL_IDS)
@given(
    parts=st.lists(st.text("a_", min_size=1, max_size=2), min_size=1, max_size=12),
    end=st.sampled_from(["", "."]),
)
def test_the_linear_id_pattern_counts_parts_as_the_official_one(
    name: str, parts: list[str], end: str
) -> None:
    official, ours, python = _ids(name)
    text = ".".join(parts) + end
    assert official.is_valid(text) == ours.is_valid(text) == bool(python.fullmatch(text))


def test_a_hostile_id_is_judged_in_python_too() -> None:
    # the official pattern would keep a backtracking engine busy for longer than anyone waits
    for name in OFFICIAL_IDS:
        assert not _ids(name)[2].fullmatch("a" * 50_000 + "!")


def test_code_lists_give_code_and_label() -> None:
    assert codes.labels("sexe") == {
        "M": "Masculin",
        "F": "Féminin",
        "O": "Autre sexe (ni masculin, ni féminin)",
        "UN": "Inconnu",
    }
    assert codes.labels("langue")["fr"] == "français"
    assert codes.labels("fait")["C01.01.01"] == "Véhicule léger, fourgon"
    assert all(label for name in codes.names() for label in codes.labels(name).values())
    assert not codes.exists("nothing")


def test_the_schemas_folder_has_no_findings() -> None:
    assert validation.check() == []


def test_a_schema_file_that_its_table_does_not_make_is_found(tmp_path: Path) -> None:
    source = table("RC-REF", "v3")
    path = tmp_path / "v3.schema.json"
    told = ["schemas/RC-REF/v3.schema.json: is not what v3.fields makes; run python -m schemas"]
    assert list(schema_findings(source, path)) == told
    path.write_text(json_schema.text(source).replace("RECU", "RECUE"), encoding="utf-8")
    assert list(schema_findings(source, path)) == told
    path.write_text(json_schema.text(source), encoding="utf-8")
    assert list(schema_findings(source, path)) == []


def test_a_pattern_that_is_none_is_found(tmp_path: Path) -> None:
    field = Field("a", "A", "string", pattern=Pattern("odd", "(", "(", "odd"))
    source = Table("RC-REF", "v3", Field("x", "X", "object", fields=(field,)), {}, {})
    (tmp_path / "v3.schema.json").write_text(json_schema.text(source), encoding="utf-8")
    assert "'(' is not a 'regex'" in next(schema_findings(source, tmp_path / "v3.schema.json"))
