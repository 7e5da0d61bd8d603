"""Judges the head of an HTTP request: what RFC 9110 and RFC 9112 forbid is refused before anything reads it.

A proxy in front and the gateway must see the same request. Where a field that is read once comes twice, or the end of the body
can be read in two ways, one of them may be deceived: such requests are refused, never repaired.
"""

import re
from functools import lru_cache

from gateway.errors import ErrorKind, Issue, Refused

MAX_HEAD = 32_768  # bytes of request line and fields
MAX_FIELDS = 100
# fields of which one value is read; Transfer-Encoding has rules of its own
SINGLE = frozenset({
    b"authorization", b"content-encoding", b"content-length", b"content-type", b"expect", b"host",
    b"last-event-id", b"model-version",
})  # fmt: skip
# RFC 9112, section 3.2: uri-host and port, or nothing
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?")
KNOWN_VERSIONS = ("1.1", "1.0")
REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}) [^ \r\n]+ HTTP/1\.[01]\r\n")
METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"})
NOT_HTTP = frozenset({  # the parser knows RTSP and ICE, too, and hides which one it has read
    "ANNOUNCE", "CONNECT", "DESCRIBE", "FLUSH", "GET_PARAMETER", "PAUSE", "PLAY", "PRI", "RECORD", "REDIRECT", "SETUP",
    "SET_PARAMETER", "SOURCE", "TEARDOWN",
})  # fmt: skip
Fields = list[tuple[bytes, bytes]]


def objection(version: str, url: bytes, fields: Fields, by_name: dict[bytes, bytes]) -> Refused | None:
    """What is wrong with a head, None = nothing. `by_name` is `fields` as a dict; names are in lower case."""
    host = by_name.get(b"host")
    if (
        version == "1.1"
        and len(by_name) == len(fields)
        and host is not None
        and is_host(host)
        and b"transfer-encoding" not in by_name
        and b"expect" not in by_name
        and b"#" not in url
    ):
        return None
    return _look_closely(version, url, fields, by_name)


@lru_cache(256)
def is_host(value: bytes) -> bool:
    """Whether a Host field's value is one (RFC 9112, section 3.2)."""
    return HOST.fullmatch(value) is not None


def _look_closely(version: str, url: bytes, fields: Fields, by_name: dict[bytes, bytes]) -> Refused | None:
    if version not in KNOWN_VERSIONS:
        return _wrong_version(version)
    names = [name for name, _ in fields]
    twice = sorted({name for name in names if name in SINGLE and names.count(name) > 1})
    if twice:
        name = twice[0].decode().title()
        return malformed(f"The field {name} is there more than once. Send it once.")
    host = by_name.get(b"host")
    if host is None and version == "1.1":
        return malformed("The field Host is missing. HTTP/1.1 requires it (RFC 9112, section 3.2).")
    if host is not None and not is_host(host):
        return malformed("The field Host is not a host and port (RFC 9112, section 3.2).")
    if b"#" in url:
        return malformed("The request target has a fragment (#). Leave it out (RFC 9112, section 3.2).")
    return _codings(version, fields) or _expectation(version, by_name)


def _wrong_version(version: str) -> Refused:
    if version == "0.9":
        return malformed("The request line has no version. Send HTTP/1.1.")
    return Refused(Issue(ErrorKind.HTTP_VERSION, f"Found HTTP/{version}. Send HTTP/1.1."))


def _codings(version: str, fields: Fields) -> Refused | None:
    """RFC 9112, sections 6.1 and 7: `chunked` alone, once, and in HTTP/1.1."""
    lines = [value for name, value in fields if name == b"transfer-encoding"]
    if not lines:
        return None
    if version == "1.0":
        return malformed("HTTP/1.0 has no Transfer-Encoding. Send Content-Length, or HTTP/1.1.")
    codings = [coding.strip().lower() for coding in b",".join(lines).split(b",")]
    if codings == [b"chunked"]:
        return None
    if codings[-1] != b"chunked" or codings.count(b"chunked") > 1:
        return malformed("Transfer-Encoding must end with chunked, once: else the body has no known end.")
    return Refused(
        Issue(
            ErrorKind.NOT_IMPLEMENTED, "The only transfer coding that is read here is chunked. Send it alone."
        )
    )


def _expectation(version: str, by_name: dict[bytes, bytes]) -> Refused | None:
    """RFC 9110, section 10.1.1; HTTP/1.0 knows no Expect."""
    expected = by_name.get(b"expect", b"100-continue").strip().lower()
    if version == "1.0" or expected == b"100-continue":
        return None
    return Refused(
        Issue(ErrorKind.EXPECTATION, "Expect may say 100-continue and nothing else. Leave it out.")
    )


def malformed(diagnostics: str) -> Refused:
    """A refusal (400) of what is no correct HTTP request."""
    return Refused(Issue(ErrorKind.MALFORMED, diagnostics))


def too_large() -> Refused:
    """A refusal (431) of a head, or of what follows a body in chunks."""
    told = f"Request line and header fields may have {MAX_HEAD} bytes and {MAX_FIELDS} fields, trailers as many. Send fewer."
    return Refused(Issue(ErrorKind.HEAD_TOO_LARGE, told))


def unknown_method() -> Refused:
    """A refusal (501) of a method that is none of HTTP's, or not known here (RFC 9110, section 9.1)."""
    told = "The request's method is not known here. See /openapi.yaml."
    return Refused(Issue(ErrorKind.NOT_IMPLEMENTED, told))


def unreadable(data: bytes, reason: str) -> Refused:
    """A refusal of `data`, in which the parser stopped for this reason."""
    if data.startswith(b"PRI * HTTP/2.0"):
        return _wrong_version("2.0")
    line = REQUEST_LINE.match(data)
    if line is not None and line[1] not in METHODS:
        return unknown_method()
    return malformed(f"This is no HTTP/1.1 request: {reason}. See RFC 9112.")
