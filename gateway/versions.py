"""Model versions: the one that a request speaks, and what is said of one that goes."""

from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.requests import Request

from gateway.errors import ErrorKind, Issue, Refused
from gateway.headers import header
from gateway.settings import Settings
from schemas import VERSIONS


def model_version(request: Request, default: str) -> str:
    """The model version of the request's message: the `Model-Version` header's, else the default. Raises Refused (400)."""
    asked = header(request.scope, b"model-version")
    if asked is None:
        return default
    if asked not in VERSIONS:
        raise Refused(
            Issue(ErrorKind.PARAMETER, f"Model-Version is {asked[:20]!r}; send one of {', '.join(VERSIONS)}.")
        )
    return asked


def deprecation(settings: Settings, version: str) -> dict[str, str]:
    """`Deprecation` (RFC 9745) and `Sunset` (RFC 8594) for a model version that goes, nothing for the others."""
    for going in settings.deprecated_versions:
        if going.version == version:
            sunset = datetime.fromtimestamp(going.sunset, UTC)
            return {"Deprecation": f"@{int(going.since)}", "Sunset": format_datetime(sunset, usegmt=True)}
    return {}
