"""What the notation can say beyond today's tables: homes by test, defaults, lists in lists of resources."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemas
from gateway.errors import ConfigurationError
from gateway.translation import canonical, placing, residue, tables
from tests.strategies import enveloped

TEXT = {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _list(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item}


SCHEMA = _object(
    status={"type": "string", "enum": ["ANNULEE"]},
    address=TEXT,
    uri=TEXT,
    label=TEXT,
    unit=_list(
        _object(
            name=TEXT,
            state=_list(
                _object(
                    code=TEXT,
                    notes=_list(TEXT),
                    crew=_list(_object(role=TEXT, skill=_list(_object(of=TEXT, grade=_list(TEXT))))),
                )
            ),
        )
    ),
)
TABLE = """
include RC-DE/v3.mapping
at message.reference
map request-status ANNULEE=revoked
resource task Task
  =  intent     order
  status        status                                request-status else active
  address       identifier[id:address].value
  uri           instantiatesUri                       url only addressed uri address
  uri           description
  label         code.coding[cs:label].code            code only
  label         code.text
resource unit Location for unit[]
  name          name
resource state Observation for unit[].state[]
  =  status     final
  >  subject.reference  ref unit
  code          code.coding[cs:state].code            code
  notes[]       note*.text
resource crew CareTeam for unit[].state[].crew[]
  role          name
  skill[].of       extension[skill]*.extension[of].valueString
  skill[].grade[]  extension[skill]*.extension[grade]*.valueString
"""


class _Files(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return (schemas.ROOT / name).read_text(encoding="utf-8")


def compiled(table: str) -> tables.Translator:
    files = {"RC-REF/v3.schema.json": orjson.dumps(SCHEMA).decode(), "RC-REF/v3.mapping": table}
    return tables.compile_table("RC-REF", "v3", _Files(files).__getitem__)


MADE = compiled(TABLE)


def both_ways(body: Any) -> tuple[Any, Any]:
    """The Bundle of a body and the body that comes back."""
    document = enveloped("reference", body)
    marks: list[residue.Mark] = []
    kept = residue.take_out(document, MADE.sieve, marks)
    inner = kept["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    bundle = MADE.write_any(kept, inner, "urn:uuid:00000000-0000-8000-8000-", False)
    bundle["entry"][0]["resource"]["extension"] += residue.extensions(marks, MADE.names)
    assert canonical.issues(bundle, MADE.court) == ()
    rest = bundle["entry"][1:]
    random.Random(1).shuffle(rest)
    read = MADE.read(
        placing.slots(
            {**bundle, "entry": [bundle["entry"][0], *rest]}, MADE.layout, MADE.names["sd"] + "source-path"
        )
    )
    message = read.pop("message")
    read["content"] = [{"jsonContent": {"embeddedJsonContent": {"message": message}}}]
    told = residue.read_marks(bundle["entry"][0]["resource"]["extension"], MADE.names)
    back = residue.put_back(read, told)
    return bundle, back["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["reference"]


_TEXTS = st.sampled_from(["", " ", "a", "b c", "x:a", "é\u00a0"])
_SKILLS = st.lists(
    st.fixed_dictionaries({}, optional={"of": _TEXTS, "grade": st.lists(_TEXTS, max_size=2)}), max_size=2
)
_CREWS = st.lists(st.fixed_dictionaries({}, optional={"role": _TEXTS, "skill": _SKILLS}), max_size=2)
_STATES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"code": _TEXTS, "notes": st.lists(_TEXTS, max_size=3), "crew": _CREWS}
    ),
    max_size=3,
)
_UNITS = st.lists(st.fixed_dictionaries({}, optional={"name": _TEXTS, "state": _STATES}), max_size=3)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.just("ANNULEE"),
        "address": _TEXTS,
        "uri": _TEXTS,
        "label": _TEXTS,
        "unit": _UNITS,
    },
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(BODIES)
def test_everything_comes_back(body: Any) -> None:
    _, back = both_ways(body)
    assert orjson.dumps(back, option=orjson.OPT_SORT_KEYS) == orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def task(body: Any) -> Any:
    bundle, _ = both_ways(body)
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Task")


def test_silence_is_said_by_the_default() -> None:
    assert task({"address": "a"})["status"] == "active"
    assert task({"status": "ANNULEE"})["status"] == "revoked"


def test_a_leaf_takes_the_first_home_whose_test_holds() -> None:
    at_home, elsewhere = task({"address": "a", "uri": "x:a"}), task({"address": "a", "uri": "x:b"})
    assert at_home["instantiatesUri"] == "x:a" and "description" not in at_home
    assert elsewhere["description"] == "x:b" and "instantiatesUri" not in elsewhere
    assert task({"label": "b c"})["code"]["coding"][0]["code"] == "b c"
    assert task({"label": "é\u00a0"})["code"] == {"text": "é\u00a0"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("uri  instantiatesUri  url only invented uri", "there is no function invented"),
        ("uri  instantiatesUri  url", "uri has a row already"),
    ],
)
def test_homes_need_a_known_test(row: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        compiled(
            TABLE.replace(
                "  uri           instantiatesUri                       url only addressed uri address",
                f"  {row}",
            )
        )
