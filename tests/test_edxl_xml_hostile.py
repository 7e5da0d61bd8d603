"""XML made to do harm is refused or read rightly, in linear time and bounded memory."""

import resource
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edxl import xml_codec, xml_parser
from gateway.errors import Refused
from tests.xml_samples import BODY, case, read, refusal, swapped

STATM = Path("/proc/self/statm")


MANY_ATTRIBUTES = " ".join(f"b{number}='1'" for number in range(100_000))


MANY_NAMESPACES = " ".join(f"xmlns:p{number}='u:{number}'" for number in range(30_000))


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no element found"),
    "text": (b"hello", "not well-formed"),
    "truncated": (BODY.encode()[:-20], "line"),
    "two roots": (BODY.encode() + b"<a/>", "junk after document element"),
    "trailing text": (BODY.encode() + b"x", "junk after document element"),
    "another root": (b"<a/>", "edxlDistribution"),
    "root without namespace": (b"<edxlDistribution/>", "edxlDistribution"),
    "external entity": (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "document type declaration",
    ),
    "entity over http": (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]><a>&x;</a>',
        "document type declaration",
    ),
    "parameter entity": (
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]><a/>',
        "document type declaration",
    ),
    "external DTD": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', "document type declaration"),
    "internal DTD": (b"<!DOCTYPE a [<!ELEMENT a ANY>]><a/>", "document type declaration"),
    "bare DTD after a comment": (b"<!-- x --><?y z?>\n<!DOCTYPE a><a/>", "document type declaration"),
    "default attribute": (b'<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>', "document type declaration"),
    "unknown entity": (b"<a>&eacute;</a>", "undefined entity"),
    "unknown entity, standalone": (
        b'<?xml version="1.0" standalone="no"?><a>&eacute;</a>',
        "undefined entity",
    ),
    "NUL reference": (b"<a>&#0;</a>", "invalid character number"),
    "control reference": (b"<a>&#x1F;</a>", "invalid character number"),
    "surrogate reference": (b"<a>&#xD800;</a>", "invalid character number"),
    "U+FFFF reference": (b"<a>&#xFFFF;</a>", "invalid character number"),
    "raw control character": (b"<a>\x01</a>", "not well-formed"),
    "UTF-16": (BODY.replace("UTF-8", "UTF-16").encode("utf-16"), "UTF-16"),
    "UTF-16 without BOM": ("<a/>".encode("utf-16-be"), "UTF-16"),
    "UTF-32": ("<a/>".encode("utf-32-be"), "not well-formed"),
    "UTF-16 declared only": (BODY.replace("UTF-8", "UTF-16").encode(), "encoding"),
    "UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-', "encoding"),
    "latin-1 declared": (
        b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>',
        "encoding 'iso-8859-1'",
    ),
    "ASCII declared, UTF-8 sent": (b'<?xml version="1.0" encoding="US-ASCII"?><a>\xc3\xa9</a>', "encoding"),
    "not UTF-8": (b"<a>\xe9</a>", "not well-formed"),
    "overlong UTF-8": (b"<a>\xc0\xaf</a>", "not well-formed"),
    "doubled attribute": (b'<a b="1" b="2"/>', "duplicate attribute"),
    "doubled attribute by prefixes": (
        b'<a xmlns:p="u:1" xmlns:q="u:1" p:b="1" q:b="2"/>',
        "duplicate attribute",
    ),
    "unbound prefix": (b"<p:a/>", "unbound prefix"),
    "crossed tags": (b"<a><b></a></b>", "mismatched tag"),
    "raw ampersand": (b"<a>R & D</a>", "not well-formed"),
    "20,000 deep": (b"<a>" * 20_000 + b"</a>" * 20_000, "deeper than 64"),
    "65 deep": (b"<a>" * 65 + b"</a>" * 65, "deeper than 64"),
    "50,001 elements": (b"<a>" + b"<b/>" * 50_000 + b"</a>", "more than 50000"),
    "JSON": (b'{"a": 1}', "not well-formed"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_refuses_what_cannot_be_read(name: str) -> None:
    body, says = UNREADABLE[name]
    (issue,) = refusal(body, 400)
    assert says in issue.diagnostics


def laughs(inside: str) -> str:
    tens = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(11))
    return f'<!DOCTYPE a [<!ENTITY l0 "ha">{tens}]>{inside}'


@pytest.mark.parametrize("inside", ["<a>&l11;</a>", '<a b="&l11;"/>'], ids=["text", "attribute"])
def test_no_entity_is_expanded(inside: str) -> None:
    tracemalloc.start()
    (issue,) = refusal(laughs(inside), 400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "document type declaration" in issue.diagnostics
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (f"<a {MANY_ATTRIBUTES}/>", 400),
        (swapped("<caseId>", f"<caseId {MANY_ATTRIBUTES}>"), 422),
        (f"<a {MANY_NAMESPACES}/>", 400),
        (f"<{'a' * 1_000_000}/>", 400),
        (swapped("<caseId>", "<caseId>" + "<!---->" * 100_000).replace("DRFR1", "DRFR1<?p?>" * 20_000), 0),
        (swapped("<caseId>", "<caseId>" + "&amp;" * 200_000), 0),
        (swapped("<caseId>", "<caseId>" + "<![CDATA[]]>" * 80_000), 0),
        (swapped("<caseId>", "<a>1</a>" * 49_000 + "<caseId>"), 0),
        (swapped("<caseId>", "<caseId>1</caseId>" * 49_000 + "<caseId>"), 422),
        (swapped("<caseId>", "<caseId b='1'>1</caseId>" * 40_000 + "<caseId>"), 422),
    ],
    ids=[
        "100,000 attributes on the root",
        "100,000 attributes on an element",
        "30,000 namespaces",
        "huge name",
        "comments",
        "references",
        "CDATA",
        "unknown elements",
        "repeated elements",
        "attributed elements",
    ],
)
def test_excess_ends_quickly_and_well(body: str, status: int) -> None:
    if status:
        assert len(refusal(body, status)) <= xml_codec.MAX_TOLD + 1
    else:
        assert isinstance(case(body), dict)


def test_a_long_namespace_is_not_multiplied() -> None:
    """Each element's tag holds its namespace: 100 kB of it in 1,000 elements would be 100 MB."""
    body = f"<a xmlns='{'u' * 100_000}'>{''.join(f'<b{number}/>' for number in range(1_000))}</a>"
    tracemalloc.start()
    (issue,) = refusal(body, 400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "namespace of more than 256 characters" in issue.diagnostics
    assert peak < 5_000_000


def test_the_largest_tree_that_is_read() -> None:
    deep = "<x>" * 57 + "deep" + "</x>" * 57
    inner = case(swapped("<caseId>", f"{deep}<caseId>"))["x"]
    while isinstance(inner, dict):
        inner = inner["x"]
    assert inner == "deep"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        read(body)


FRAGMENTS = (
    "<a>", "</a>", "<a/>", "&", "&amp;", "&#1;", "<!--", "-->", "<![CDATA[", "]]>", "<?p?>", "<!DOCTYPE a>", 'x="1"',
    ' xmlns="u:x"', "\x00", "\ufeff", "]]", "<caseId>", "</caseId>", "<content/>", "é", "-", "9" * 400, "",
)  # fmt: skip


@given(
    st.lists(
        st.tuples(st.integers(0, len(BODY)), st.integers(0, 30), st.sampled_from(FRAGMENTS)),
        min_size=1,
        max_size=4,
    )
)
def test_any_change_is_read_or_refused(changes: list[tuple[int, int, str]]) -> None:
    body = BODY
    for at, cut, put in changes:
        body = body[:at] + put + body[at + cut :]
    try:
        read(body)
    except Refused as refused:
        found = refused.status
    else:
        found = 200
    assert found in {200, 400, 422}


@pytest.mark.skipif(not STATM.exists(), reason="needs Linux' /proc")
def test_names_are_forgotten_with_their_body() -> None:
    """The parser under lxml keeps every name it saw for the life of the thread; the one used here must not."""

    def resident() -> int:
        return int(STATM.read_text().split()[1]) * resource.getpagesize()

    before = resident()
    for body in range(60):
        names = b"".join(b"<n%d_%d_%s/>" % (body, n, b"x" * 980) for n in range(1_000))
        xml_parser.parse(b"<r>" + names + b"</r>")
    assert resident() - before < 30_000_000  # 60 MB of names went through
