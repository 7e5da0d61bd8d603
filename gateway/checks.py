"""Everything that can be known to be wrong before the first message comes."""

from collections.abc import Callable, Iterator, Mapping

from gateway import service, settings, translation, validation
from gateway.errors import ConfigurationError


def check_all(environ: Mapping[str, str]) -> list[str]:
    """One line a finding, with file and line where there is one: settings, registrations, schemas, mapping tables."""
    return [
        *_findings(lambda: settings.load(environ)),
        *_findings(lambda: service.read_registry(settings.load(environ))),
        *validation.check(),
        *translation.check(),
    ]


def _findings(read: Callable[[], object]) -> Iterator[str]:
    try:
        read()
    except ConfigurationError as error:
        yield from str(error).splitlines()
