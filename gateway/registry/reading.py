"""Registrations from files: all that is wrong is told at once, each with file and line."""

import datetime as dt
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.addresses import private_problem
from gateway.errors import ConfigurationError
from gateway.model import Certification, JsonObject, Limits, Publisher
from gateway.registry.fields import CERTIFICATION, FIELDS, LIMITS, WEBHOOK, Field, key_set, with_defaults
from gateway.registry.ids import may_be_health
from gateway.registry.reserved import claim_problems
from gateway.registry.snapshot import Registry
from gateway.registry.toml_file import TomlFile, read_toml

TABLES = {"limits": LIMITS, "certification": CERTIFICATION, "webhook": WEBHOOK}
DAY = 86_400  # seconds
MAX_JWKS_FILE = 262_144  # bytes
RESERVED_IN = ("id", "secret_sha256", "sends_for", "inbox_for")  # the keys that `reserved` knows about


@dataclass(frozen=True, slots=True)
class Registration:
    """A publisher, and the file that says so."""

    publisher: Publisher
    file: TomlFile


def load(
    directory: Path,
    *,
    exclusive_senders: bool = True,
    core_recipients: tuple[str, ...] = (),
    private_webhooks: bool = False,
    core_client_id: str = "",
) -> Registry:
    """The registry of a folder: one registration in each `*.toml`. See `Registry` for the two arguments after it.

    With `private_webhooks` a webhook may be http, and at an address that is none of the public Internet. No publisher may
    have the client id of the core.
    Raises ConfigurationError with one line, `file:line: …`, for each thing that is wrong in any of the files.
    """
    paths = sorted(directory.glob("*.toml"))
    if not paths:
        raise ConfigurationError(f"{directory}:1: no registration (*.toml) is in this folder")
    problems: list[str] = []
    registrations: list[Registration] = []
    for path in paths:
        try:
            registrations.append(read_registration(path))
        except ConfigurationError as error:
            problems.append(str(error))
    problems += _conflicts(registrations, exclusive_senders)
    problems += _clients_of_the_core(registrations, core_client_id)
    problems += [] if private_webhooks else _private_webhooks(registrations)
    if problems:
        raise ConfigurationError("\n".join(problems))
    publishers = [r.publisher for r in registrations]
    return Registry.of(
        publishers,
        exclusive_senders=exclusive_senders,
        core_recipients=core_recipients,
        warnings=_direct_outside_health(registrations),
    )


def read_registration(path: Path) -> Registration:
    """One registration. Raises ConfigurationError with a line for each thing that is wrong."""
    file = read_toml(path)
    jwks, key_problems = _keys(file)
    problems = [*_problems(file), *key_problems]
    if problems:
        raise ConfigurationError("\n".join(problems))
    values = with_defaults(FIELDS, file.values)
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    values |= {"limits": Limits(**with_defaults(LIMITS, values["limits"])), "jwks": jwks}
    values["certification"] = _certification(values["certification"])
    values["webhook"] = (values["webhook"] or {}).get("url", "")
    del values["jwks_file"]
    return Registration(Publisher(**values), file)


def _problems(file: TomlFile) -> Iterator[str]:
    values = file.values
    yield from _check(file, FIELDS, values, "")
    for name, fields in TABLES.items():
        if isinstance(values.get(name, {}), dict):
            yield from _check(file, fields, values[name], f"{name}.") if name in values else ()
        else:
            yield f"{file.at(name)}: {name} must be a table"
    for key in RESERVED_IN:
        for value, problem in claim_problems(key, _texts(values.get(key))):
            yield f"{file.at(key, value)}: {key}: {problem}"
    if not any(values.get(name) for name in ("secret_sha256", "jwks", "jwks_file")):
        yield f"{file.at('client_id')}: the client cannot authenticate; give secret_sha256, jwks or jwks_file"
    if "jwks" in values and "jwks_file" in values:
        yield f"{file.at('jwks_file')}: give jwks or jwks_file, not both"


def _check(file: TomlFile, fields: dict[str, Field], values: JsonObject, table: str) -> Iterator[str]:
    for name, value in values.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            hint = f"; is it {near[0]}?" if near else f"; known are: {', '.join(fields)}"
            yield f"{file.at(table + name)}: unknown key {table}{name}{hint}"
            continue
        for item, problem in fields[name].check(value):
            yield f"{file.at(table + name, item)}: {table}{name}: {problem}"
    for name, field in fields.items():
        if field.default is ... and name not in values:
            yield f"{file.at(table.rstrip('.'))}: the key {table}{name} is missing"


def _certification(table: JsonObject | None) -> Certification | None:
    """The table as a value. It holds up to the end of its last day in UTC."""
    if table is None:
        return None
    day: dt.date = table["valid_until"]
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()
    return Certification(table["report"], midnight + DAY, tuple(table["types"]))


def _keys(file: TomlFile) -> tuple[JsonObject | None, list[str]]:
    """The public keys, inline or from a file beside the registration, and what is wrong with that file."""
    name = file.values.get("jwks_file")
    if not isinstance(name, str) or not name:
        return file.values.get("jwks"), []
    path = file.path.parent / name
    try:
        jwks: Any = orjson.loads(_key_file(path))  # bounded in depth, unlike json
    except OSError as error:
        return None, [f"{file.at('jwks_file')}: {path} cannot be read: {error.strerror}"]
    except ValueError as error:
        line = f" (line {error.lineno})" if isinstance(error, orjson.JSONDecodeError) else ""
        cause = "it is not JSON in UTF-8" if line else str(error)
        return None, [f"{file.at('jwks_file')}: {path} cannot be read: {cause}{line}"]
    return jwks, [f"{file.at('jwks_file')}: {path}: {problem}" for _item, problem in key_set(jwks)]


def _key_file(path: Path) -> bytes:
    """The content of a JWK Set's file. Raises OSError, and ValueError where it is no JWK Set whatever it holds."""
    if path.exists() and not path.is_file():  # a named pipe would never end
        raise ValueError("it is not a file")
    with path.open("rb") as opened:
        content = opened.read(MAX_JWKS_FILE + 1)
    if len(content) > MAX_JWKS_FILE:
        raise ValueError(f"it is over {MAX_JWKS_FILE} bytes")
    return content


def _texts(value: Any) -> tuple[str, ...]:
    """The texts of a registration's value, be it one or a list."""
    listed = value if isinstance(value, list) else [value]
    return tuple(item for item in listed if isinstance(item, str))


def _conflicts(registrations: list[Registration], exclusive_senders: bool) -> Iterator[str]:
    """What two registrations both claim. The line is the later file's, the text names the earlier."""
    exclusive = ["id", "client_id", "inbox_for", *(["sends_for"] if exclusive_senders else [])]
    for key in exclusive:
        first: dict[str, Registration] = {}
        for registration in registrations:
            for value in _claims(registration.publisher, key):
                other = first.setdefault(value, registration)
                if other is not registration:
                    here, there = registration.file.at(key, value), other.file.at(key, value)
                    yield f"{here}: {key}: {value!r} is taken by {other.publisher.id} ({there})"


def _clients_of_the_core(registrations: list[Registration], core_client_id: str) -> Iterator[str]:
    for one in registrations:
        if core_client_id and one.publisher.client_id == core_client_id:
            yield f"{one.file.at('client_id')}: client_id: {core_client_id!r} is the core's (GATEWAY_CORE_CLIENT_ID)"


def _private_webhooks(registrations: list[Registration]) -> Iterator[str]:
    for one in registrations:
        problem = private_problem(one.publisher.webhook) if one.publisher.webhook else ""
        if problem:
            yield f"{one.file.at('webhook.url')}: webhook.url: {problem}"


def _direct_outside_health(registrations: list[Registration]) -> Iterator[str]:
    """Registrations that ask for a health actor's types without being one; the server converts for them all the same."""
    for one in registrations:
        ids = (*one.publisher.inbox_for, *one.publisher.sends_for)
        if one.publisher.cisu == "direct" and not any(map(may_be_health, ids)):
            yield (
                f'{one.file.at("cisu")}: cisu: "direct" is for health actors (fr.health.…), and this one has no such id: '
                'what health actors send is converted for it. Remove the line or write "convert"'
            )


def _claims(publisher: Publisher, key: str) -> tuple[str, ...]:
    value = getattr(publisher, key)
    return value if isinstance(value, tuple) else (value,)
