"""Settings from the environment."""

import os
from dataclasses import FrozenInstanceError, fields
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway import settings
from gateway.errors import ConfigurationError
from gateway.settings import DeprecatedVersion, Settings

FILES = ("GATEWAY_SIGNING_KEYS_FILE", "GATEWAY_CORE_JWKS_FILE", "GATEWAY_CLIENT_KEY_FILE")


def refusal(environ: dict[str, str]) -> list[str]:
    """The lines that `load` complains in."""
    with pytest.raises(ConfigurationError) as refused:
        settings.load(environ)
    return str(refused.value).splitlines()


def test_defaults_serve_on_this_machine_alone() -> None:
    made = settings.load({})
    assert made == Settings()
    assert (made.host, made.port, made.base_url) == ("127.0.0.1", 8400, "http://localhost:8400")
    assert (made.max_body, made.max_drain, made.access_token_seconds) == (1_048_576, 33_554_432, 600)
    assert made.registry_dir.is_dir()
    with pytest.raises(FrozenInstanceError):
        made.port = 1  # type: ignore[misc]


def test_every_setting_is_read_and_typed(tmp_path: Path) -> None:
    given = {
        "host": ("0.0.0.0", "0.0.0.0"),
        "port": ("9400", 9400),
        "base_url": ("https://gateway.example/", "https://gateway.example"),
        "fhir_base": ("https://fhir.example/r4", "https://fhir.example/r4"),
        "log_level": ("WARNING", "warning"),
        "database_url": ("postgresql://u:p@db/gateway", "postgresql://u:p@db/gateway"),
        "quota_url": ("rediss://:p@valkey:6379/1", "rediss://:p@valkey:6379/1"),
        "backlog_limit": ("5", 5),
        "retention_days": ("7", 7),
        "expiry_hours": ("24", 24),
        "context_days": ("3", 3),
        "context_closed_hours": ("0", 0),
        "registry_dir": (str(tmp_path), tmp_path),
        "max_body": ("10", 10),
        "max_drain": ("20", 20),
        "long_poll_max": ("0", 0),
        "keep_alive": ("2.5", 2.5),
        "max_connections": ("16", 16),
        "ops_host": ("::", "::"),
        "ops_port": ("9500", 9500),
        "stop_grace": ("2.5", 2.5),
        "strict_codes": ("true", True),
        "require_certification": ("true", True),
        "validate_with_fhir_resources": ("TRUE", True),
        "deprecated_versions": (
            "v1=2026-01-01/2026-12-31, v2=2027-01-01/2028-01-01",
            (
                DeprecatedVersion("v1", 1_767_225_600.0, 1_798_675_200.0),
                DeprecatedVersion("v2", 1_798_761_600.0, 1_830_297_600.0),
            ),
        ),
        "trusted_proxies": (
            "10.1.2.3, 2001:db8::/32,",
            (ip_network("10.1.2.3/32"), ip_network("2001:db8::/32")),
        ),
        "access_token_seconds": ("300", 300),
        "signing_keys_file": (__file__, Path(__file__)),
        "outside_issuer": ("https://idp.example", "https://idp.example"),
        "outside_jwks_url": ("https://idp.example/jwks", "https://idp.example/jwks"),
        "core_client_id": ("core", "core"),
        "core_jwks_file": (__file__, Path(__file__)),
        "core_url": ("https://core.example/fhir/", "https://core.example/fhir"),
        "core_token_url": ("https://core.example/token", "https://core.example/token"),
        "core_timeout": ("3", 3.0),
        "core_recipients": ("fr.fire.*, fr.health.hub,", ("fr.fire.*", "fr.health.hub")),
        "client_id": ("us", "us"),
        "client_key_file": (__file__, Path(__file__)),
        "forward_concurrency": ("4", 4),
        "retry_base": ("0.5", 0.5),
        "retry_max": ("9", 9.0),
        "webhook_keys_file": (__file__, Path(__file__)),
        "webhook_timeout": ("4", 4.0),
        "webhook_allow_private": ("true", True),
        "heavy_workers": ("0", 0),
    }
    assert list(given) == [row.name for row in fields(Settings)]
    environ = {settings.variable(name): text for name, (text, _) in given.items()}
    made = settings.load({**environ, "PATH": "/bin"})
    for name, (_, value) in given.items():
        assert getattr(made, name) == value, name
    settings.require_complete(made)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("TRUSTED_PROXIES", "10.0.0.0/33", "must be addresses or networks like 10.4.0.0/16"),
        ("TRUSTED_PROXIES", "proxy.example", "must be addresses or networks"),
        ("PORT", "http", "must be a whole number from 1 to 65535"),
        ("PORT", "0", "must be a whole number from 1 to 65535"),
        ("PORT", "-1", "must be a whole number"),
        ("PORT", "٨٤", "must be a whole number"),
        ("PORT", "tcp://10.0.0.7:8400", "must be a whole number"),
        ("HOST", "  ", "must not be empty"),
        ("BASE_URL", "gateway.example", "must be an http or https URL"),
        ("BASE_URL", "https://gateway.example?x=1", "must be an http or https URL without query"),
        ("BASE_URL", "https://[", "Invalid IPv6 URL"),
        ("LOG_LEVEL", "loud", "must be one of: debug, info, warning, error"),
        ("DATABASE_URL", "mysql://x/y", "must be sqlite:///PATH or postgresql://"),
        ("DATABASE_URL", "sqlite:///", "must be sqlite:///PATH or postgresql://"),
        ("REGISTRY_DIR", "/nowhere/at/all", "must be a folder"),
        ("STRICT_CODES", "yes", "must be true or false"),
        ("STOP_GRACE", "0", "must be a number of seconds above 0"),
        ("STOP_GRACE", "nan", "must be a number of seconds above 0"),
        ("STOP_GRACE", "1e3", "must be a number of seconds above 0"),
        ("SIGNING_KEYS_FILE", "/nowhere.json", "must be a file"),
        ("DEPRECATED_VERSIONS", "v1", "must be like v1=2026-01-01/2027-12-31"),
        ("DEPRECATED_VERSIONS", "v9=2026-01-01/2027-12-31", "must be like v1="),
        ("DEPRECATED_VERSIONS", "v1=2026-02-30/2027-12-31", "day is out of range for month"),
        ("DEPRECATED_VERSIONS", "v1=2027-12-31/2026-01-01", "must name a second date after the first"),
        ("CORE_RECIPIENTS", "fr.*.*", "must be ids with at most one * each"),
        ("CORE_RECIPIENTS", "fr.health.a b", "must be ids with at most one * each"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, text: str, complaint: str) -> None:
    (line,) = refusal({f"GATEWAY_{name}": text})
    assert line.startswith(f"GATEWAY_{name} is ")
    assert complaint in line


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("GATEWAY_PROT", "GATEWAY_PROT is no setting; is it GATEWAY_PORT?"),
        ("GATEWAY_X", "GATEWAY_X is no setting; `gateway settings` lists them"),
    ],
)
def test_an_unknown_variable_is_refused(name: str, complaint: str) -> None:
    assert refusal({name: "1"}) == [complaint]


def test_everything_wrong_is_told_at_once() -> None:
    assert len(refusal({"GATEWAY_PORT": "x", "GATEWAY_HOST": " ", "GATEWAY_ZZZZZ": ""})) == 3


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({"GATEWAY_OUTSIDE_ISSUER": "https://a.example"}, "are set together or not at all"),
        ({"GATEWAY_RETRY_BASE": "61"}, "GATEWAY_RETRY_MAX must not be below GATEWAY_RETRY_BASE"),
        ({"GATEWAY_MAX_DRAIN": "9"}, "GATEWAY_MAX_DRAIN must not be below GATEWAY_MAX_BODY"),
    ],
)
def test_settings_must_fit_together(environ: dict[str, str], complaint: str) -> None:
    assert complaint in refusal(environ)[0]


def test_an_empty_variable_is_not_set() -> None:
    assert settings.load({"GATEWAY_PORT": "", "GATEWAY_CORE_URL": ""}) == Settings()


def test_serving_needs_keys_and_a_core() -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings.require_complete(Settings())
    named = [line.partition(" ")[0] for line in str(refused.value).splitlines()]
    assert sorted(named) == sorted([*FILES, "GATEWAY_CORE_URL", "GATEWAY_CORE_TOKEN_URL"])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:s3cret@db/g", "postgresql://u:***@db/g"),
        ("postgresql://u:s3/cr@t@db/g", "postgresql://u:***@db/g"),
        ("postgresql://db/g?user=u&password=s3cret&x=1", "postgresql://db/g?user=u&password=***&x=1"),
        ("postgresql://u@db/g", "postgresql://u@db/g"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    listed = {row["variable"]: row["value"] for row in settings.rows({"GATEWAY_DATABASE_URL": url})}
    assert listed["GATEWAY_DATABASE_URL"] == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:s3cret@valkey:6379/0", "redis://:***@valkey:6379/0"),
        ("rediss://us:s3c@ret@valkey", "rediss://us:***@valkey"),
        ("redis://valkey:6379", "redis://valkey:6379"),
    ],
)
def test_the_quotas_password_is_masked(url: str, shown: str) -> None:
    listed = {row["variable"]: row["value"] for row in settings.rows({"GATEWAY_QUOTA_URL": url})}
    assert listed["GATEWAY_QUOTA_URL"] == shown


@pytest.mark.parametrize(
    "url", ["valkey:6379", "http://h", "redis://", "redis://h/x", "redis://h?ssl_cert_reqs=none"]
)
def test_what_is_no_valkey_is_refused(url: str) -> None:
    (line,) = refusal({"GATEWAY_QUOTA_URL": url})
    assert "must be redis://HOST:PORT/NUMBER" in line


def test_a_refusal_masks_passwords() -> None:
    (line,) = refusal({"GATEWAY_DATABASE_URL": "mysql://u:s3cret@db/g"})
    assert "s3cret" not in line and "mysql://u:***@db/g" in line


def test_rows_list_every_setting_as_text() -> None:
    listed = settings.rows({"GATEWAY_PORT": "9400"})
    assert [row["variable"] for row in listed] == [settings.variable(row.name) for row in fields(Settings)]
    by_name = {row["variable"]: row for row in listed}
    assert by_name["GATEWAY_PORT"] == {
        "variable": "GATEWAY_PORT",
        "value": "9400",
        "default": "8400",
        "help": "port to listen on",
    }
    assert by_name["GATEWAY_STRICT_CODES"]["value"] == "false"
    assert by_name["GATEWAY_CORE_URL"]["help"].endswith("(needed by `gateway serve`)")
    assert by_name["GATEWAY_REGISTRY_DIR"]["default"] == "publishers/registry as shipped"
    assert all(
        isinstance(text, str) and os.fspath(Path.cwd()) not in text for row in listed for text in row.values()
    )


def test_defaults_are_what_their_text_says() -> None:
    for row in fields(Settings):
        if isinstance(row.default, str | int | float) and row.default != "":
            text = str(row.default).lower() if isinstance(row.default, bool) else str(row.default)
            assert row.metadata["cast"](text) == row.default, row.name
