"""Query parameters, read and bounded."""

from starlette.requests import Request

from gateway.errors import ErrorKind, Issue, Refused

MAX_DIGITS = 18  # what fits a signed 64-bit integer, whatever the digits
MAX_CURSOR = 10**MAX_DIGITS - 1


def integer(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds, or the default where it is absent. Raises Refused (400)."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and least <= int(text) <= most):
        raise refuse(name, f"send a whole number from {least} to {most}")
    return int(text)


def choice(request: Request, name: str, allowed: tuple[str, ...]) -> str | None:
    """One of the allowed words, None where it is absent. Raises Refused (400)."""
    text = request.query_params.get(name)
    if text is not None and text not in allowed:
        raise refuse(name, f"send one of {', '.join(allowed)}")
    return text


def text(request: Request, name: str, most: int) -> str | None:
    """A text of 1 to `most` characters, None where it is absent. Raises Refused (400)."""
    given = request.query_params.get(name)
    if given is not None and not 1 <= len(given) <= most:
        raise refuse(name, f"send 1 to {most} characters")
    return given


def refuse(name: str, diagnostics: str) -> Refused:
    """400 for a query parameter; its value is not repeated."""
    return Refused(
        Issue(ErrorKind.PARAMETER, f"Query parameter {name}: {diagnostics}.", f"query.{name}", f"/{name}")
    )


def refuse_header(name: str, diagnostics: str) -> Refused:
    """400 for a request header; its value is not repeated."""
    return Refused(Issue(ErrorKind.PARAMETER, f"Header {name}: {diagnostics}.", f"header.{name}", f"/{name}"))
