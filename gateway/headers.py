"""Request headers out of the ASGI scope. Starlette's `Headers` decodes all of them at every look-up."""

from starlette.types import Scope

BY_NAME = "gateway.headers"  # our key in the scope: the headers as a dict, made at the first look-up


def header(scope: Scope, name: bytes) -> str | None:
    """The header of this lower-case name, the last of several; None where there is none."""
    by_name: dict[bytes, bytes] | None = scope.get(BY_NAME)
    if by_name is None:
        by_name = scope[BY_NAME] = dict(scope["headers"])
    value = by_name.get(name)
    return None if value is None else value.decode("latin-1")
