"""Query parameters, read and bounded."""

from starlette.requests import Request

from gateway.errors import ErrorKind, Issue, Refused


def integer(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds, or the default where it is absent. Raises Refused (400)."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most):
        raise refuse(name, f"send a whole number from {least} to {most}")
    return int(text)


def choice(request: Request, name: str, allowed: tuple[str, ...]) -> str | None:
    """One of the allowed words, None where it is absent. Raises Refused (400)."""
    text = request.query_params.get(name)
    if text is not None and text not in allowed:
        raise refuse(name, f"send one of {', '.join(allowed)}")
    return text


def refuse(name: str, diagnostics: str) -> Refused:
    """400 for a query parameter; its value is not repeated."""
    return Refused(
        Issue(ErrorKind.PARAMETER, f"Query parameter {name}: {diagnostics}.", f"query.{name}", f"/{name}")
    )
