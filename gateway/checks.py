"""Everything that can be known to be wrong before the first message comes."""

from collections.abc import Callable, Iterator, Mapping

from gateway import conversion, service, settings, translation, validation
from gateway.errors import ConfigurationError
from gateway.settings import Settings


def check_all(environ: Mapping[str, str], *, partial: bool = False) -> list[str]:
    """One line a finding, with file and line where there is one: settings, keys, registrations, schemas, mapping tables,
    code maps. `gateway serve` starts where there is none.

    With `partial`, settings that only serving needs may be missing, and the key files are not read.
    """
    try:
        made = settings.load(environ)
        configuration = [*_configuration(made, partial=partial)]
    except ConfigurationError as error:
        configuration = str(error).splitlines()
    return [*configuration, *validation.check(), *translation.check(), *conversion.check()]


def _configuration(made: Settings, *, partial: bool) -> Iterator[str]:
    missing = [*_findings(settings.require_complete, made)]
    if not partial:
        yield from missing
    yield from _findings(_require_sound_registry, made)
    if not partial and not missing:
        yield from _findings(service.read_keys, made)
        yield from _findings(service.read_client_key, made)


def _require_sound_registry(made: Settings) -> None:
    """Raise ConfigurationError for what stops the server, and for what it would only work around."""
    registry = service.read_registry(made)
    if registry.warnings:
        raise ConfigurationError("\n".join(registry.warnings))


def _findings(look: Callable[[Settings], object], made: Settings) -> list[str]:
    try:
        look(made)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []
