"""Everything that can be known to be wrong before the first message comes."""

from collections.abc import Mapping

from gateway import conversion, service, settings, translation, validation
from gateway.errors import ConfigurationError


def check_all(environ: Mapping[str, str]) -> list[str]:
    """One line a finding, with file and line where there is one: settings, registrations, schemas, mapping tables, code maps."""
    try:
        made = settings.load(environ)
        configuration = list(service.read_registry(made).findings)
    except ConfigurationError as error:
        configuration = str(error).splitlines()
    return [*configuration, *validation.check(), *translation.check(), *conversion.check()]
