"""One request header out of the ASGI scope. Starlette's `Headers` decodes all of them at every look-up."""

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this lower-case name, None where there is none."""
    for found, value in scope["headers"]:
        if found == name:
            text: str = value.decode("latin-1")
            return text
    return None
