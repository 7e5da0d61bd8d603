"""The tables' notation, and the codecs that rows name."""

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from gateway.errors import ConfigurationError
from gateway.translation import identifiers, residue, tables
from gateway.translation.codecs import CODECS, code_map
from gateway.translation.paths import NotationError, element_path, expand, message_path, spell

NAMES = {"sd": "https://x/sd/", "cs": "https://x/cs/", "LOINC": "http://loinc.org"}


def with_line(line: str, file: str = "RC-REF/v3.mapping") -> None:
    """Compiles RC-REF with one more line at the end of a table."""

    def load(name: str) -> str:
        text = (schemas.ROOT / name).read_text(encoding="utf-8")
        return f"{text}{line}\n" if name == file else text

    tables.compile_table("RC-REF", "v3", load)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("distributionID  implicitRules", "has a row already"),
        ("nothing  implicitRules", "no leaf"),
        ("{a,b}  x.{c}", "do not list the same number"),
        ("resource header Patient", "is a MessageHeader already"),
        ("resource x Patient whenever y", "unknown option"),
        ("use nothing", "no block is called"),
        ("> focus[0].reference  ref nobody", "there is no nobody"),
        ("> focus[0].reference  invented distributionID", "there is no function"),
        ("> focus[0].reference  same nothing", "the schema has no"),
        ("= language  fr", "is taken already"),
        ("lonely", "a row has a message path"),
        ("map one-way a", "not of the form a=b"),
        ("= source.name.x  y", "name has no children"),
        ("= eventCoding[0].x  y", "is no list elsewhere"),
        ("+ header.a.b  reference=@self", "is not a list of a resource"),
        ("> language  if x distributionID#1", "is no home of the leaf"),
    ],
)
def test_a_bad_line_is_named(line: str, says: str) -> None:
    last = len((schemas.ROOT / "RC-REF/v3.mapping").read_text(encoding="utf-8").splitlines()) + 1
    with pytest.raises(ConfigurationError, match=says) as caught:
        with_line(line)
    assert f"RC-REF/v3.mapping:{last}" in str(caught.value)


def test_a_code_map_holds_every_code_of_its_leaf() -> None:
    def load(name: str) -> str:
        text = (schemas.ROOT / name).read_text(encoding="utf-8")
        return text.replace("at message.reference", "map steps RECU=r\nat message.reference").replace(
            "valueCoding<cs:etape>.code            code", "valueCoding<cs:etape>.code  steps"
        )

    with pytest.raises(ConfigurationError, match=r"RC-REF/v3.mapping:\d+: steps lacks .*ERREUR"):
        tables.compile_table("RC-REF", "v3", load)


def test_the_meta_of_a_resource_holds_constants_only() -> None:
    with pytest.raises(ConfigurationError, match="resource header: its meta holds constants only"):
        with_line("> meta.source  same distributionID")


def test_a_missing_row_is_named() -> None:
    def load(name: str) -> str:
        lines = (schemas.ROOT / name).read_text(encoding="utf-8").splitlines()
        return "\n".join(
            line for line in lines if not line.strip().startswith(("distributionID  ", "refused", ">"))
        )

    with pytest.raises(ConfigurationError, match=r"no row for .*message\.reference\.refused"):
        tables.compile_table("RC-REF", "v3", load)


def test_a_codec_for_another_type_is_refused() -> None:
    def load(name: str) -> str:
        text = (schemas.ROOT / name).read_text(encoding="utf-8")
        return text.replace("boolean", "number") if name == "RC-REF/v3.mapping" else text

    with pytest.raises(ConfigurationError, match="refused is boolean, number takes number"):
        tables.compile_table("RC-REF", "v3", load)


def test_message_paths() -> None:
    assert message_path("a.b[].c") == ("a", "b", "[]", "c")
    assert spell(message_path("a.b[].c[]")) == "a.b[].c[]"
    with pytest.raises(NotationError):
        message_path("a..b")


def test_braces_are_taken_in_step() -> None:
    assert expand(("x.{a,b}", "y.{c,d}.z", "text")) == [("x.a", "y.c.z", "text"), ("x.b", "y.d.z", "text")]
    with pytest.raises(NotationError):
        expand(("{a,b}", "{c}"))


def test_short_forms_of_element_paths() -> None:
    assert element_path("reasonCode[cs:fait].code", NAMES) == element_path(
        "reasonCode[coding[0].system=cs:fait].coding[0].code", NAMES
    )
    assert element_path("extension[a].extension[b].valueString", NAMES) == element_path(
        "extension[url=sd:a].extension[url=b].valueString", NAMES
    )
    assert element_path("code.coding[LOINC].code", NAMES) == element_path(
        "code.coding[system=LOINC].code", NAMES
    )
    assert element_path("a<LOINC>.b", NAMES) == element_path("a<system=LOINC>.b", NAMES)


@given(st.sampled_from(sorted(CODECS)), st.data())
def test_a_codec_gives_back_what_its_domain_holds(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    value = data.draw(_VALUES.get(str(codec.domain.get("type")), st.text()))
    if not jsonschema_rs.Draft4Validator(codec.domain).is_valid(value):
        return
    said = codec.to(value)
    assert jsonschema_rs.Draft7Validator(codec.fhir).is_valid(said)
    assert codec.back(said) == value and type(codec.back(said)) is type(value)


_VALUES: dict[str, st.SearchStrategy[object]] = {
    "string": st.text()
    | st.from_regex(r"P[0-9]{1,3}[YMWD]", fullmatch=True)
    | st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2})?", fullmatch=True
    ),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    "integer": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "object": st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.integers(0, 9))),
}


@pytest.mark.parametrize(
    ("name", "fits", "fits_not"),
    [
        ("text", ["a", "a\u00a0b", " é ", "x\n"], ["", " ", "\u00a0", "\u2028", "a\u0000", "\ufeff"]),
        ("code", ["a", "a b"], ["", "a  b", " a", "a\u00a0b"]),
        (
            "date",
            ["2024-02-29", "2000-02-29"],
            ["2023-02-29", "1900-02-29", "1980-00-00", "0000-01-01", "2024-1-1"],
        ),
        (
            "dateTime",
            ["2024-02-29T23:59:59+14:00"],
            ["2024-02-29T23:59:59+14:01", "2024-02-29T24:00:00+00:00"],
        ),
        ("age", ["P0D", "P13Y"], ["P013Y", "P1000Y", "13"]),
        ("url", ["hubex:a", "https://x/?q"], ["a b", ""]),
        ("digits", [0, 100, -1], [100.0, True, "1"]),
    ],
)
def test_domains(name: str, fits: list[object], fits_not: list[object]) -> None:
    check = jsonschema_rs.Draft4Validator(CODECS[name].domain).is_valid
    assert [value for value in fits if not check(value)] == []
    assert [value for value in fits_not if check(value)] == []


def test_a_code_map_is_one_to_one() -> None:
    with pytest.raises(ValueError, match="one to one"):
        code_map({"a": "x", "b": "x"})


def test_urls_are_version_8_uuids_that_differ_by_message() -> None:
    from uuid import UUID

    one, other = identifiers.stem("a_1"), identifiers.stem("a_2")
    assert one != other
    assert UUID(f"{one}001000000000").version == 8
    assert identifiers.header_uuid("a_1") == f"{one}001000000000".removeprefix("urn:uuid:")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["reference", "content", "x~/"]) | st.text(max_size=3), _JSON))
def test_whatever_is_taken_out_is_put_back(document: dict[str, object]) -> None:
    table = tables.translator("RC-REF", "v3")
    assert table is not None
    marks: list[residue.Mark] = []
    kept = residue.take_out(document, table.sieve, marks)
    told = residue.extensions(marks, table.names)
    left = {} if kept is residue.GONE else kept
    assert residue.put_back(left, residue.read_marks(told, table.names)) == document
