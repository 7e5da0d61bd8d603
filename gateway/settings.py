"""Settings of the production server, from `GATEWAY_*` environment variables. One row a setting: `Settings`.

`port` is read from `GATEWAY_PORT`, and so on. Secrets are in files; a password in a URL is masked wherever settings are
shown.
"""
# ruff: noqa: RUF009 - _row makes dataclass fields

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import schemas
from gateway.callers import Network, networks
from gateway.errors import ConfigurationError

PREFIX = "GATEWAY_"
REGISTRY = Path(__file__).parent.parent / "publishers" / "registry"
_IDS = re.compile(r"(?=[^*]*\*?[^*]*$)[A-Za-z0-9_.*-]+")
_DEPRECATED = re.compile(r"(v\d+)=(\d{4}-\d{2}-\d{2})/(\d{4}-\d{2}-\d{2})", re.ASCII)
_PASSWORD = re.compile(r"(://[^:/@]*:).*(?=@)|(password=)[^&]*")


class DeprecatedVersion(NamedTuple):
    """A model version that goes: deprecated since, and promised until, POSIX seconds (RFC 9745, RFC 8594)."""

    version: str
    since: float
    sunset: float


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


def _whole(least: int, most: int = 10**12) -> Callable[[str], int]:
    def cast(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not least <= int(value) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    return cast


def _seconds(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value) or not float(value):
        raise ValueError("must be a number of seconds above 0")
    return float(value)


def _flag(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return value.lower() == "true"


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https URL without query")
    return value.rstrip("/")


def _database(value: str) -> str:
    if not re.fullmatch(r"sqlite:///[^?#]+|postgres(ql)?://[^/]+/.+", value):
        raise ValueError("must be sqlite:///PATH or postgresql://USER@HOST/NAME")
    return value


def _quota(value: str) -> str:
    if not re.fullmatch(r"rediss?://([^/?#]*@)?[^/?#@]+(/[0-9]+)?", value):
        raise ValueError("must be redis://HOST:PORT/NUMBER, or rediss:// over TLS")
    return value


def _file(value: str) -> Path:
    if not Path(value).is_file():
        raise ValueError("must be a file, and there is none")
    return Path(value)


def _folder(value: str) -> Path:
    if not Path(value).is_dir():
        raise ValueError("must be a folder, and there is none")
    return Path(value)


def _ids(value: str) -> tuple[str, ...]:
    ids = tuple(part.strip() for part in value.split(",") if part.strip())
    bad = [text for text in ids if not _IDS.fullmatch(text)]
    if bad:
        raise ValueError(f"must be ids with at most one * each, separated by commas; {bad[0]!r} is none")
    return ids


def _word(*words: str) -> Callable[[str], str]:
    def cast(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"must be one of: {', '.join(words)}")
        return value.lower()

    return cast


def _deprecated(value: str) -> tuple[DeprecatedVersion, ...]:
    return tuple(_deprecated_version(part.strip()) for part in value.split(",") if part.strip())


def _deprecated_version(text: str) -> DeprecatedVersion:
    match = _DEPRECATED.fullmatch(text)
    if not match or match[1] not in schemas.VERSIONS:
        raise ValueError("must be like v1=2026-01-01/2027-12-31: version, deprecated since, promised until")
    since, sunset = (
        datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in match.groups()[1:]
    )
    if sunset <= since:
        raise ValueError("must name a second date after the first")
    return DeprecatedVersion(match[1], since, sunset)


def _row(default: Any, cast: Callable[[str], Any], meaning: str, *, needed: bool = False) -> Any:
    return field(default=default, metadata={"cast": cast, "help": meaning, "needed": needed})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The table of settings: name, type, default, how it is read, what it means. `needed` ones have no default that serves."""

    host: str = _row("127.0.0.1", _text, "address to listen on")
    port: int = _row(8400, _whole(1, 65_535), "port to listen on")
    base_url: str = _row(
        "http://localhost:8400", _url, "public URL of the gateway; issuer of its access tokens"
    )
    fhir_base: str = _row("https://hub-fhir.example/fhir", _url, "base of the canonical FHIR URLs")
    log_level: str = _row("info", _word("debug", "info", "warning", "error"), "least severe log line")
    database_url: str = _row(
        "sqlite:///gateway.db",
        _database,
        "store: sqlite:///PATH, or postgresql://USER@HOST/NAME for replicas",
    )
    quota_url: str = _row(
        "",
        _quota,
        "Valkey or Redis in which replicas count quotas together: redis://:PASSWORD@HOST:PORT/NUMBER",
    )
    backlog_limit: int = _row(1_000_000, _whole(1), "messages waiting for the core before senders get 503")
    retention_days: int = _row(30, _whole(1), "days until the content of a finished message is erased")
    expiry_hours: int = _row(
        0,
        _whole(0, 8_760),
        "hours after delivery at which a message that nobody answered expires at the latest, 24 at the Hub Santé; 0 = at its"
        " dateTimeExpires alone",
    )
    context_days: int = _row(
        7, _whole(1), "days after the last message of a case for which crossings take up what came before"
    )
    context_closed_hours: int = _row(
        24, _whole(0), "hours after the closing of a case for which they still do"
    )
    registry_dir: Path = _row(REGISTRY, _folder, "folder of the publishers' registrations")
    max_body: int = _row(1_048_576, _whole(1), "bytes of a message, at most")
    max_drain: int = _row(
        33_554_432, _whole(1), "bytes of a refused body read before the connection is closed"
    )
    long_poll_max: int = _row(50, _whole(0, 3_600), "seconds that a read of the inbox waits, at most")
    keep_alive: float = _row(75.0, _seconds, "seconds that a connection is kept without a request")
    max_connections: int = _row(4_096, _whole(16, 1_000_000), "connections at one time, at most")
    ops_host: str = _row("127.0.0.1", _text, "address to listen on for metrics and /health/deep")
    ops_port: int = _row(9400, _whole(1, 65_535), "port to listen on for metrics and /health/deep")
    stop_grace: float = _row(20.0, _seconds, "seconds to finish what is under way when stopping")
    strict_codes: bool = _row(False, _flag, "refuse codes that the code lists lack")
    require_certification: bool = _row(
        False, _flag, "refuse message types and versions that a publisher has no valid certification for"
    )
    validate_with_fhir_resources: bool = _row(False, _flag, "have fhir.resources judge each Bundle too; slow")
    deprecated_versions: tuple[DeprecatedVersion, ...] = _row(
        (), _deprecated, "model versions that go: v1=SINCE/SUNSET, dates, separated by commas"
    )
    trusted_proxies: tuple[Network, ...] = _row(
        (), networks, "proxies whose X-Forwarded-For names the caller: 10.1.2.3, 10.4.0.0/16"
    )
    access_token_seconds: int = _row(600, _whole(1, 3_600), "seconds that an access token lives")
    signing_keys_file: Path | None = _row(
        None, _file, "private JWK Set that signs access tokens; first signs, all verify", needed=True
    )
    outside_issuer: str = _row("", _url, "issuer of access tokens accepted besides the gateway's own")
    outside_jwks_url: str = _row("", _url, "JWK Set of the outside issuer")
    core_client_id: str = _row("national-core", _text, "client id of the core when it calls the gateway")
    core_jwks_file: Path | None = _row(
        None, _file, "JWK Set of the core's public keys, to authenticate its calls", needed=True
    )
    core_url: str = _row(
        "", _url, "FHIR base of the national core; $process-message is below it", needed=True
    )
    core_token_url: str = _row("", _url, "token endpoint that serves the core", needed=True)
    core_timeout: float = _row(10.0, _seconds, "seconds that the core may take to answer")
    core_recipients: tuple[str, ...] = _row(
        (), _ids, "ids the core knows besides the registry, * for any characters, separated by commas"
    )
    client_id: str = _row("regulation-gateway", _text, "the gateway's client id at the core")
    client_key_file: Path | None = _row(
        None, _file, "private JWK of the gateway as the core's client", needed=True
    )
    forward_concurrency: int = _row(
        32,
        _whole(1, 1_024),
        "messages on their way to the core at one time, a quarter as many urgent ones beside them",
    )
    retry_base: float = _row(1.0, _seconds, "seconds before the first retry of a forward, on average")
    retry_max: float = _row(60.0, _seconds, "seconds between retries of a forward, at most")
    webhook_keys_file: Path | None = _row(
        None,
        _file,
        "private JWK Set that signs webhooks (Ed25519), every key of it; needed where there are any",
    )
    webhook_timeout: float = _row(15.0, _seconds, "seconds that a webhook's receiver may take to answer")
    webhook_allow_private: bool = _row(
        False, _flag, "call webhooks at addresses that are not public, and by http: in tests only"
    )
    heavy_workers: int = _row(
        2, _whole(0, 64), "worker processes that read large bodies beside the event loop; 0 = none"
    )


def load(environ: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises ConfigurationError with a line for each variable that is wrong.

    Relative file names are relative to the working directory. An empty variable counts as not set.
    """
    values: dict[str, Any] = {}
    problems = [*_unknown(environ)]
    for row in fields(Settings):
        text = environ.get(variable(row.name), "")
        if not text:
            continue
        try:
            values[row.name] = row.metadata["cast"](text)
        except ValueError as error:
            problems.append(f"{variable(row.name)} is {mask(text)!r}; it {error}")
    made = Settings(**values)
    problems += _incoherent(made) if not problems else []
    if problems:
        raise ConfigurationError("\n".join(problems))
    return made


def require_complete(settings: Settings) -> None:
    """Raises ConfigurationError unless everything is set that serving needs beside the defaults."""
    missing = [
        f"{variable(row.name)} is not set: {row.metadata['help']}"
        for row in fields(Settings)
        if row.metadata["needed"] and not getattr(settings, row.name)
    ]
    if missing:
        raise ConfigurationError("\n".join(missing))


def rows(environ: Mapping[str, str]) -> list[dict[str, str]]:
    """Every setting as texts: `variable`, `value`, `default`, `help`. Passwords are masked. Raises as `load` does."""
    settings = load(environ)
    return [
        {
            "variable": variable(row.name),
            "value": mask(environ.get(variable(row.name)) or _shown(getattr(settings, row.name))),
            "default": _shown(row.default),
            "help": row.metadata["help"] + (" (needed by `gateway serve`)" if row.metadata["needed"] else ""),
        }
        for row in fields(Settings)
    ]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def mask(text: str) -> str:
    """The text without the passwords that its URLs hold."""
    return _PASSWORD.sub(r"\1\2***", text)


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = {row.name.upper() for row in fields(Settings)}
    for name in sorted(environ):
        bare = name.removeprefix(PREFIX)
        if bare != name and bare not in known:
            near = difflib.get_close_matches(bare, known, 1)
            hint = f"is it {PREFIX}{near[0]}?" if near else "`gateway settings` lists them"
            yield f"{name} is no setting; {hint}"


def _incoherent(settings: Settings) -> Iterator[str]:
    if bool(settings.outside_issuer) != bool(settings.outside_jwks_url):
        yield "GATEWAY_OUTSIDE_ISSUER and GATEWAY_OUTSIDE_JWKS_URL are set together or not at all"
    if settings.retry_max < settings.retry_base:
        yield "GATEWAY_RETRY_MAX must not be below GATEWAY_RETRY_BASE"
    if settings.max_drain < settings.max_body:
        yield "GATEWAY_MAX_DRAIN must not be below GATEWAY_MAX_BODY"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path) and value == REGISTRY:
        return "publishers/registry as shipped"
    return "" if value is None or value == () else str(value)
