"""Raw requests in a table: what is sent, what RFC 9110 and RFC 9112 say, what is answered. Nothing is taken that they forbid."""

from dataclasses import dataclass

import orjson
import pytest

from tests.abuse.echo import Echo
from tests.abuse.wire import listening, talk

POST = b"POST /a HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA\r\n"
)
LENGTH = POST + b"Content-Length: 5\r\n\r\n12345"


@dataclass(frozen=True, slots=True)
class Row:
    """`answered`: the statuses in order. `taken`: the bodies that the application got, in order."""

    name: str
    sent: bytes
    rule: str
    answered: tuple[int, ...]
    taken: tuple[bytes, ...] = ()


ROWS = (
    # The request line
    Row("plain GET", GET + b"\r\n", "9112 3", (200,), (b"",)),
    Row("no version", b"GET /a\r\n\r\n", "9112 3", (400,)),
    Row("HTTP/0.9 said", b"GET /a HTTP/0.9\r\n\r\n", "9112 2.3", (400,)),
    Row("HTTP/1.0", b"GET /a HTTP/1.0\r\n\r\n", "9112 2.3", (200,), (b"",)),
    Row("HTTP/2 as a version", b"GET /a HTTP/2.0\r\nHost: x\r\n\r\n", "9110 15.6.6", (505,)),
    Row("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "9113 3.4", (505,)),
    Row("small letters", b"GET /a http/1.1\r\nHost: x\r\n\r\n", "9112 2.3: case-sensitive", (400,)),
    Row("two digits", b"GET /a HTTP/1.10\r\nHost: x\r\n\r\n", "9112 2.3", (400,)),
    Row("unknown method", b"BREW /a HTTP/1.1\r\nHost: x\r\n\r\n", "9110 9.1: 501", (501,)),
    Row("method in small letters", b"get /a HTTP/1.1\r\nHost: x\r\n\r\n", "9110 9.1: case-sensitive", (501,)),
    Row("CONNECT", b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", "9110 9.3.6", (501,)),
    Row("space in the target", b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3.2: 400", (400,)),
    Row("no slash", b"GET a HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3.2", (400,)),
    Row("fragment", b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3.2.1", (400,)),
    Row("bytes over 127 in the target", b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", "3986 2", (400,)),
    Row("absolute form", b"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3.2.2: must accept", (200,), (b"",)),
    Row("empty line first", b"\r\n" + GET + b"\r\n", "9112 2.2: should ignore", (200,), (b"",)),
    Row("line feeds alone", b"GET /a HTTP/1.1\nHost: x\n\n", "9112 2.2: may take", (400,)),
    Row("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "no HTTP", (400,)),
    Row("RTSP", b"DESCRIBE /a RTSP/1.0\r\nHost: x\r\n\r\n", "no HTTP", (501,)),
    # Fields
    Row("no Host", b"GET /a HTTP/1.1\r\n\r\n", "9112 3.2: must 400", (400,)),
    Row("two Hosts", GET + b"Host: y\r\n\r\n", "9112 3.2: must 400", (400,)),
    Row("two equal Hosts", GET + b"Host: x\r\n\r\n", "9112 3.2: must 400", (400,)),
    Row("empty Host", b"GET /a HTTP/1.1\r\nHost:\r\n\r\n", "9112 3.2: without authority", (200,), (b"",)),
    Row("Host with a path", b"GET /a HTTP/1.1\r\nHost: x/b\r\n\r\n", "9112 3.2: must 400", (400,)),
    Row("Host with a user", b"GET /a HTTP/1.1\r\nHost: u@x\r\n\r\n", "9110 7.2", (400,)),
    Row("two names in Host", b"GET /a HTTP/1.1\r\nHost: x, y\r\n\r\n", "9112 3.2: must 400", (400,)),
    Row("IPv6 in Host", b"GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "9110 7.2", (200,), (b"",)),
    Row("space before the colon", b"GET /a HTTP/1.1\r\nHost : x\r\n\r\n", "9112 5.1: must 400", (400,)),
    Row("space before the first field", b"GET /a HTTP/1.1\r\n Host: x\r\n\r\n", "9112 2.2", (400,)),
    Row("folded line", GET + b"A: b\r\n c\r\n\r\n", "9112 5.2: must 400", (400,)),
    Row("NUL in a value", GET + b"A: b\0c\r\n\r\n", "9110 5.5", (400,)),
    Row("return in a value", GET + b"A: b\rc\r\n\r\n", "9110 5.5", (400,)),
    Row("no name", GET + b": b\r\n\r\n", "9110 5.1", (400,)),
    Row("no colon", GET + b"A b\r\n\r\n", "9112 5", (400,)),
    Row("two Authorizations", GET + b"Authorization: a\r\nAuthorization: b\r\n\r\n", "9110 5.3", (400,)),
    Row("two Content-Types", POST + b"Content-Type: a/b\r\nContent-Type: a/c\r\n\r\n", "9110 8.3", (400,)),
    Row("two Model-Versions", POST + b"Model-Version: v1\r\nmodel-version: v3\r\n\r\n", "ours", (400,)),
    Row("a list twice", GET + b"Accept: a/b\r\nAccept: a/c\r\n\r\n", "9110 5.3", (200,), (b"",)),
    # The body's end
    Row("Content-Length", POST + b"Content-Length: 2\r\n\r\nhi", "9112 6.2", (200,), (b"hi",)),
    Row("two Content-Lengths", POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!", "9112 6.3", (400,)),
    Row("two equal Content-Lengths", POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "9112 6.3: may", (400,)),
    Row("a list of lengths", POST + b"Content-Length: 2, 2\r\n\r\nhi", "9112 6.3: may", (400,)),
    Row("a sign", POST + b"Content-Length: +2\r\n\r\nhi", "9110 8.6", (400,)),
    Row("a negative length", POST + b"Content-Length: -2\r\n\r\nhi", "9110 8.6", (400,)),
    Row("an empty length", POST + b"Content-Length:\r\n\r\nhi", "9110 8.6", (400,)),
    Row("a hexadecimal length", POST + b"Content-Length: 0x2\r\n\r\nhi", "9110 8.6", (400,)),
    Row("a length of 30 digits", POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nhi", "9110 8.6", (400,)),
    Row("length and chunks", POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "9112 6.3", (400,)),
    Row("chunks and length", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", "9112 6.3", (400,)),
    Row("half a body", POST + b"Content-Length: 9\r\n\r\nhi", "9112 8: incomplete", (400,)),
    Row("no body", POST + b"Content-Length: 9\r\n\r\n", "9112 8: incomplete", (400,)),
    Row("more than declared", POST + b"Content-Length: 2\r\n\r\nhi!!!!\r\n\r\n", "9112 6.3", (200, 400), (b"hi",)),
    # Chunks
    Row("chunks", CHUNKED + b"2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n", "9112 7.1", (200,), (b"hi!",)),
    Row("chunk extension", CHUNKED + b"2;a=b\r\nhi\r\n0\r\n\r\n", "9112 7.1.1: ignore", (200,), (b"hi",)),
    Row("trailers", CHUNKED + b"2\r\nhi\r\n0\r\nAuthorization: b\r\nHost: y\r\n\r\n", "9110 6.5.1", (200,), (b"hi",)),
    Row("a bad size", CHUNKED + b"zz\r\nhi\r\n0\r\n\r\n", "9112 7.1", (400,)),
    Row("a negative size", CHUNKED + b"-2\r\nhi\r\n0\r\n\r\n", "9112 7.1", (400,)),
    Row("a size of 0x", CHUNKED + b"0x2\r\nhi\r\n0\r\n\r\n", "9112 7.1", (400,)),
    Row("a size that is too large", CHUNKED + b"f" * 20 + b"\r\nhi\r\n0\r\n\r\n", "9112 7.1: overflow", (400,)),
    Row("a chunk longer than said", CHUNKED + b"2\r\nhiho\r\n0\r\n\r\n", "9112 7.1", (400,)),
    Row("line feeds in chunks", CHUNKED + b"2\nhi\n0\n\n", "9112 7.1", (400,)),
    Row("no last chunk", CHUNKED + b"2\r\nhi\r\n", "9112 8: incomplete", (400,)),
    Row("chunks in HTTP/1.0", b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "9112 6.1: faulty", (400,)),
    Row("gzip, chunked", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "9112 6.1: 501", (501,)),
    Row("chunked, gzip", POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "9112 6.3: 400", (400,)),
    Row("chunked twice", POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "9112 7: must not", (400,)),
    Row("chunked on two lines", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "9112 7", (400,)),
    Row("gzip on its own line", POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "9112 6.1", (501,)),
    Row("identity", POST + b"Transfer-Encoding: identity\r\n\r\nhi", "9112 7: gone", (400,)),
    Row("xchunked", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "9112 6.3: 400", (400,)),
    Row("Chunked with a capital", POST + b"Transfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "9112 7: any case", (200,), (b"hi",)),
    Row("vertical tab in chunked", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "9112 6.1", (400,)),
    # Upgrade and Expect
    Row("h2c with a body", POST + UPGRADE + b"Content-Length: 2\r\n\r\nhi", "9110 7.8: may ignore", (200,), (b"hi",)),
    Row("h2c in chunks", POST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "9110 7.8", (200,), (b"hi",)),
    Row("h2c without a body", GET + UPGRADE + b"\r\n" + GET + b"\r\n", "9110 7.8", (200, 200), (b"", b"")),
    Row("h2c twice", (POST + UPGRADE + b"Content-Length: 2\r\n\r\nhi") * 2, "9110 7.8", (200, 200), (b"hi", b"hi")),
    Row("h2c and half a body", POST + UPGRADE + b"Content-Length: 9\r\n\r\nhi", "9112 8: incomplete", (400,)),
    Row("websocket with a body", POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi", "9110 7.8", (200,), (b"hi",)),
    Row("Upgrade that asks to close", POST + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi" + GET + b"\r\n", "9112 9.6", (200,), (b"hi",)),
    Row("unknown Expect", GET + b"Expect: the-best\r\n\r\n", "9110 10.1.1: may 417", (417,)),
    Row("Expect in HTTP/1.0", b"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", "9110 10.1.1: ignore", (200,), (b"hi",)),
    Row("Content-Encoding", POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi", "9110 15.5.16", (415,)),
    # Several requests
    Row("two at once", GET + b"\r\n" + GET + b"\r\n", "9112 9.3.2", (200, 200), (b"", b"")),
    Row("a good one and nonsense", GET + b"\r\n\0\r\n\r\n", "9112 9.3.2: in order", (200, 400), (b"",)),
    Row("a bad one and a good one", b"GET /a HTTP/1.1\r\n\r\n" + GET + b"\r\n", "9112 9.6: the rest has no meaning", (400,)),
    Row("after close", GET + b"Connection: close\r\n\r\n" + GET + b"\r\n", "9112 9.6", (200,), (b"",)),
    # What the tests of h11 and httptools send
    Row("tab before the colon", GET + b"A\t: b\r\n\r\n", "9112 5.1: must 400", (400,)),
    Row("a folded line of tabs, twice", GET + b"A: b\r\n c\r\n\td\r\nE: f\r\n    \t   \t\tg\r\n\r\n", "9112 5.2: must 400", (400,)),
    Row("line feed after one field", GET + b"A: b\n\r\n", "9112 2.2: may take", (400,)),
    Row("line feeds between fields", b"GET /a HTTP/1.1\r\nHost: x\nA: b\n\r\n", "9112 2.2: may take", (400,)),
    Row("words after the version", b"GET /a HTTP/1.1 xxxxxx\r\nHost: x\r\n\r\n", "9112 3: 400", (400,)),
    Row("NUL in Host", b"GET /a HTTP/1.1\r\nHost: a\0b\r\n\r\n", "9110 5.5", (400,)),
    Row("NUL in the target", b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3.2", (400,)),
    Row("DEL in the target", b"GET /a\x7fb HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3.2", (400,)),
    Row("byte EE in the target", b"GET /a\xeeb HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3.2", (400,)),
    Row("control byte in a cookie", GET + b"Cookie: a=kUd\x01UpAt\r\n\r\n", "9110 5.5: may keep or refuse", (400,)),
    Row("value of spaces and tabs", GET + b"A: \t \t \r\n\r\n", "9110 5.5: empty", (200,), (b"",)),
    Row("space in a name", GET + b"a b: c\r\n\r\n", "9110 5.1", (400,)),
    Row("NUL in a name", GET + b"a\0b: c\r\n\r\n", "9110 5.1", (400,)),
    Row("byte FF in a name", GET + b"a\xffb: c\r\n\r\n", "9110 5.1", (400,)),
    Row("control byte in a name", GET + b"a\x01b: c\r\n\r\n", "9110 5.1", (400,)),
    Row("a length of letters", POST + b"Content-Length: asdf\r\n\r\n", "9110 8.6", (400,)),
    Row("a length and a letter", POST + b"Content-Length: 1x\r\n\r\nh", "9110 8.6", (400,)),
    Row("a list of equal lengths of 0", POST + b"Content-Length: 0 , 0\r\n\r\n", "9112 6.3: may", (400,)),
    Row("three lengths, one another", POST + b"Content-Length: 1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi", "9112 6.3: must 400", (400,)),
    Row("cHuNkEd", POST + b"Transfer-Encoding: cHuNkEd\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "9112 7: any case", (200,), (b"hi",)),
    Row("sizes in both cases", CHUNKED + b"aA\r\n" + b"x" * 0xAA + b"\r\n0\r\n\r\n", "9112 7.1", (200,), (b"x" * 0xAA,)),
    Row("a size of 100 digits", CHUNKED + b"9" * 100 + b"\r\nxxx", "9112 7.1: overflow", (400,)),
    Row("NUL after a size", CHUNKED + b"10\0\r\nxxx", "9112 7.1", (400,)),
    Row("spaces after a size", CHUNKED + b"5   \t \r\n01234\r\n0\r\n\r\n", "9112 7.1.1: without an extension", (400,)),
    Row("extension after a space", CHUNKED + b'5; hello=there\r\nxxxxx\r\n0; random="junk"\r\n\r\n', "9112 7.1.1: space should be read; refused", (400,)),
    Row("half a chunk", CHUNKED + b"8\r\n012345", "9112 8: incomplete", (400,)),
    Row("three requests, two with bodies", LENGTH + LENGTH.replace(b"12345", b"67890") + GET + b"\r\n", "9112 9.3.2: in order", (200, 200, 200), (b"12345", b"67890", b"")),
    Row("two requests and a remainder", GET + b"\r\n" + GET + b"\r\n" + b"X" * 1_000, "9112 9.3.2", (200, 200, 400), (b"", b"")),
    Row("gibberish", b"gibberish\r\n\r\n", "9112 3", (400,)),
    Row("NUL first", b"\0", "no HTTP", (400,)),
    Row("half a request line", b"GET /", "9112 8: incomplete", ()),
    Row("an empty line alone", b"\r\n", "9112 2.2: should ignore", ()),
    Row("unknown method without a Host", b"SPAM /test.php?a=b+c HTTP/1.1\r\n\r\n", "9110 9.1: 501", (501,)),
    Row("no target", b"POST HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3: 400", (400,)),
    Row("bytes in a chunk", CHUNKED + b"b\r\n+\xce\xcfM\xb5MI,I\x04\x00\r\n0\r\n\r\n", "9112 7.1", (200,), (b"+\xce\xcfM\xb5MI,I\x04\x00",)),
    Row("trailers that are no framing", CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\nVary: *\r\nUser-Agent: spam\r\n\r\n", "9110 6.5.1", (200,), (b"hello world",)),
    Row("WebSocket of 2010", GET + b"Connection: Upgrade\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nUpgrade: WebSocket\r\n\r\nHot diggity dogg", "9110 7.8: may ignore", (200, 400), (b"",)),
    Row("slashes alone", b"GET //// HTTP/1.1\r\nHost: x\r\n\r\n", "3986 3.3", (200,), (b"",)),
    Row("brackets in the query", b"GET /a?b[]=d&b[]=z HTTP/1.1\r\nHost: x\r\n\r\n", "3986 3.4: not allowed, harmless", (200,), (b"",)),
    Row("an unknown scheme", b"GET dsf://u:p@x/a HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3.2.2: must accept", (200,), (b"",)),
    Row("empty target", b"GET  HTTP/1.1\r\nHost: x\r\n\r\n", "9112 3", (400,)),
)  # fmt: skip


def test_the_table_has_a_row_for_each_rule() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 60


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_what_is_sent_is_answered_as_the_rfc_says(row: Row) -> None:
    for parts in ([row.sent], [row.sent[i : i + 1] for i in range(len(row.sent))]):
        echo = Echo()
        async with listening(echo.app) as port:
            answers = await talk(port, *parts, end=True)
        statuses = tuple(answer.status for answer in answers)
        # byte by byte, a first byte of no known method is wrong before its line is there
        assert statuses == row.answered or (
            len(parts) > 1 and row.answered in {(501,), (505,)} and statuses == (400,)
        )
        assert tuple(body for _, _, _, body in echo.taken) == row.taken
        assert not [
            fields for _, _, fields, _ in echo.taken if "authorization" in fields or fields.get("host") == "y"
        ]
        for answer in answers:
            assert {"x-request-id", "traceparent", "date"} <= set(answer.headers)
            if answer.status >= 400:
                assert orjson.loads(answer.body)["resourceType"] == "OperationOutcome"
        if answers and answers[-1].status in {400, 431, 501, 505}:
            assert answers[-1].headers["connection"] == "close"
