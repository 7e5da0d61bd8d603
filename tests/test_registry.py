"""Registrations from files, and who may send for, and receives for, which id."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey

from gateway.errors import ConfigurationError
from gateway.model import JsonObject, Limits, Publisher
from gateway.registry import Ids, Registry, RegistryHolder, is_actor_id, load
from gateway.registry.fields import CERTIFICATION, FIELDS, LIMITS, WEBHOOK

SHIPPED = Path(__file__).parent.parent / "publishers" / "registry"
SECRET = "0123456789abcdef" * 4
KEY = ECKey.generate_key("P-256", {"kid": "one"})
PRIVATE = dict(KEY.as_dict(private=True))
PUBLIC = dict(KEY.as_dict(private=False))
JWK_MEMBERS = st.sampled_from(["keys", "kty", "kid", "crv", "x", "y", "n", "e", "d", "oth", "a b"])
SMALLEST = f"""\
id = "lrm"
name = "Logiciel de régulation"
client_id = "lrm-client"
secret_sha256 = "{SECRET}"
"""


def publisher(name: str, sends: tuple[str, ...] = (), inbox: tuple[str, ...] = (), **more: Any) -> Publisher:
    """A registration as a value."""
    return Publisher(name, name, f"{name}-client", sends, inbox, (), "v3", "json", (), Limits(), **more)


def write(folder: Path, name: str = "lrm", text: str = SMALLEST, **lists: list[str]) -> Path:
    """A registration as a file; the ids are made from the file's name."""
    path = folder / f"{name}.toml"
    told = text.replace("lrm", name) + "".join(f"{key} = {json.dumps(v)}\n" for key, v in lists.items())
    path.write_text(told, encoding="utf-8")
    return path


def refusal(folder: Path, **options: Any) -> list[str]:
    """The lines that `load` complains in, without the folder's name."""
    with pytest.raises(ConfigurationError) as refused:
        load(folder, **options)
    return str(refused.value).replace(f"{folder}/", "").splitlines()


def toml(table: JsonObject) -> str:
    """A JWK as the lines of a TOML table: an empty one, the header, the kid if there is one, the rest."""
    ordered = sorted(table.items(), key=lambda pair: pair[0] != "kid")
    return "\n[[jwks.keys]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in ordered)


def inline(value: object) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def test_a_registration_needs_few_keys(tmp_path: Path) -> None:
    write(tmp_path)
    (read,) = load(tmp_path).publishers
    assert read == Publisher(
        id="lrm",
        name="Logiciel de régulation",
        client_id="lrm-client",
        sends_for=(),
        inbox_for=(),
        scopes=("message.send", "message.read", "inbox.read"),
        model_version="v3",
        format="json",
        message_types=(),
        limits=Limits(),
        secret_sha256=SECRET,
    )


def test_every_key_is_read(tmp_path: Path) -> None:
    more = """\
status = "suspended"
scopes = ["message.send"]
sends_for = ["fr.health.samu440", "fr.health.samu4*"]
inbox_for = ["*"]
model_version = "v2"
format = "xml"
message_types = ["RS-EDA"]
strict_codes = true
cisu = "direct"
[limits]
per_second = 1
per_minute = 2
per_day = 3
in_flight = 4
max_body = 5
reserve = 0.5
[webhook]
url = "https://lrm.example:8443/told?of=items"
"""
    write(tmp_path, text=SMALLEST + more + toml(PUBLIC))
    (read,) = load(tmp_path).publishers
    assert read == Publisher(
        id="lrm",
        name="Logiciel de régulation",
        client_id="lrm-client",
        sends_for=("fr.health.samu440", "fr.health.samu4*"),
        inbox_for=("*",),
        scopes=("message.send",),
        model_version="v2",
        format="xml",
        message_types=("RS-EDA",),
        limits=Limits(1, 2, 3, 4, 5, 0.5),
        status="suspended",
        strict_codes=True,
        cisu="direct",
        secret_sha256=SECRET,
        jwks={"keys": [PUBLIC]},
        webhook="https://lrm.example:8443/told?of=items",
    )


@pytest.mark.parametrize(
    ("inbox", "sound"),
    [
        (["fr.fire.sdis044"], False),
        ([], False),
        (["fr.fire.*"], False),
        (["fr.healthcare.x"], False),
        (["fr.health.samu440"], True),
        (["fr.fire.sdis044", "fr.health.samu*"], True),
        (["fr.*"], True),
        (["*"], True),
    ],
)
def test_direct_is_a_health_actor_s_word(tmp_path: Path, inbox: list[str], sound: bool) -> None:
    """`gateway check` names the line; the server takes the registration all the same, and converts for it."""
    more = f'inbox_for = {json.dumps(inbox)}\ncisu = "direct"\n'
    write(tmp_path, text=SMALLEST + more)
    registry = load(tmp_path)
    assert len(registry.publishers) == 1
    assert [
        line for line in registry.warnings if 'lrm.toml:6: cisu: "direct" is for health actors' in line
    ] == ([] if sound else list(registry.warnings))
    assert bool(registry.warnings) is not sound


def test_keys_may_stand_in_a_file_beside(tmp_path: Path) -> None:
    (tmp_path / "lrm.jwks.json").write_text(json.dumps({"keys": [PUBLIC]}))
    write(tmp_path, text=SMALLEST.partition("secret")[0] + 'jwks_file = "lrm.jwks.json"\n')
    assert load(tmp_path).publishers[0].jwks == {"keys": [PUBLIC]}


def test_what_is_shipped_is_sound_suspended_and_nobodys() -> None:
    registry = load(SHIPPED)
    assert {p.id for p in registry.publishers} == {"example-lrm", "example-smur"}
    for shipped in registry.publishers:
        assert shipped.status == "suspended"
        assert all("example" in text for text in (*shipped.sends_for, *shipped.inbox_for))


def test_the_readme_explains_every_key() -> None:
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    tables = {"limits": LIMITS, "certification": CERTIFICATION, "webhook": WEBHOOK}
    keys = [*FIELDS, *(f"{table}.{name}" for table, names in tables.items() for name in names)]
    assert [key for key in keys if f"| `{key}` |" not in text and key not in tables] == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('colour = "red"', "5: unknown key colour; known are: id, name"),
        ('client_secret = "x"', "5: unknown key client_secret; is it client_id?"),
        ("sends_for = [", "5: not TOML: "),
        ('id = "x"', "5: not TOML: Cannot overwrite a value"),
        ("strict_codes = 1", "5: strict_codes: must be true or false"),
        ('cisu = "both"', "5: cisu: must be one of: direct, convert"),
        ('format = "yaml"', "5: format: must be one of: json, xml"),
        ('status = "asleep"', "5: status: must be one of: active, suspended"),
        ("model_version = 3", "5: model_version: must be one of: v1, v2, v3"),
        ('scopes = ["core.deliver"]', "5: scopes: 'core.deliver' is not one of: message.send"),
        ('scopes = "message.send"', "5: scopes: must be a list of texts"),
        ('message_types = ["RS-EDO"]', "5: message_types: 'RS-EDO' is not one of: "),
        ('sends_for = ["fr.health"]', "5: sends_for: 'fr.health' is not an id of three segments"),
        ("sends_for = [7]", "5: sends_for: 7 is not an id"),
        ('inbox_for = [\n "fr.health.samu440",\n "fr.*.x*",\n]', "7: inbox_for: 'fr.*.x*' is not an id"),
        ("limits = 5", "5: limits must be a table"),
        ("limits.per_second = 0", "5: limits.per_second: must be a whole number of 1 or more"),
        ("limits = {per_day = 1.5}", "5: limits.per_day: must be a whole number of 1 or more"),
        ("[limits]\n# a word\nreserve = 2", "7: limits.reserve: must be a number from 0 to 1"),
        ("[limits]\nper_seconds = 2", "6: unknown key limits.per_seconds; is it per_second?"),
        ("[limits]\nper_minute = true", "6: limits.per_minute: must be a whole number of 1 or more"),
        ('webhook = "https://lrm.example/"', "5: webhook must be a table"),
        ("[webhook]", "5: the key webhook.url is missing"),
        ("[webhook]\nurl = 7", "6: webhook.url: must be a text"),
        ('[webhook]\nurl = "ftp://lrm.example/"', "6: webhook.url: must begin with https:// and a host"),
        ('[webhook]\nurl = "https://127.1/"', "6: webhook.url: must name a host by a name"),
        ('[webhook]\nurl = "https://a.example/"\nkey = "x"', "7: unknown key webhook.key; known are: url"),
        ('[webhook]\nurl = "http://lrm.example/"', "6: webhook.url: must be https"),
        (
            '[webhook]\nurl = "https://169.254.169.254/"',
            "6: webhook.url: 169.254.169.254 is no address of the public Internet",
        ),
        ('jwks = "x"', "5: jwks: must be a JWK Set"),
        ("jwks = {keys = []}", "5: jwks: must be a JWK Set"),
        ('jwks_file = "none.json"', "5: none.json cannot be read: No such file or directory"),
        ('jwks_file = "lrm.toml"', "5: lrm.toml cannot be read: it is not JSON in UTF-8 (line 1)"),
        (toml(PRIVATE), "7: jwks: keys[0] is a private key; put its public part here"),
        (toml({**PUBLIC, "x": "AAAA"}), "7: jwks: keys[0] is a JWK that cannot be read"),
        (toml(PUBLIC) + toml(PUBLIC), "7: jwks: keys[0] needs a `kid` of its own"),
        (toml(dict(OctKey.generate_key(256).as_dict())), "6: jwks: keys[0] must be a JWK of kty EC or RSA"),
        (
            toml(dict(ECKey.generate_key("P-521").as_dict(private=False))),
            "6: jwks: keys[0] must be on one of the curves P-256, P-384",
        ),
        (
            toml({"kty": "RSA", "n": "_" * 170 + "8", "e": "AQAB"}),
            "6: jwks: keys[0] has 1024 bits; RSA keys need 2048 or more",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    write(tmp_path, text=SMALLEST + line + "\n")
    assert refusal(tmp_path)[0].startswith(f"lrm.toml:{complaint}")


VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(-2, 2), st.floats(allow_nan=True), st.text("EC-25RSA*.ab\x00é", max_size=6)
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(JWK_MEMBERS, inner, max_size=4),
    max_leaves=6,
)


@given(key=st.sampled_from([*FIELDS, *(f"limits.{name}" for name in LIMITS)]), value=VALUES)
def test_no_value_brings_the_reader_down(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    folder = tmp_path_factory.mktemp("registry")
    kept = [line for line in SMALLEST.splitlines() if line.partition(" ")[0] != key]
    (folder / "lrm.toml").write_text("\n".join([*kept, f"{key} = {inline(value)}"]), encoding="utf-8")
    try:
        load(folder)
    except ConfigurationError as refused:
        for line in str(refused).splitlines():
            assert line.startswith(f"{folder}/lrm.toml:")


@pytest.mark.parametrize(
    ("key", "value"),
    [("id", "Lrm"), ("id", "-lrm"), ("id", "a" * 64), ("name", ""), ("client_id", "a b"), ("client_id", "é")],
)
def test_bad_names_are_refused(tmp_path: Path, key: str, value: str) -> None:
    lines = [f"{key} = {json.dumps(value)}" if x.startswith(key) else x for x in SMALLEST.splitlines()]
    (tmp_path / "lrm.toml").write_text("\n".join(lines), encoding="utf-8")
    number = next(n for n, x in enumerate(lines, 1) if x.startswith(key))
    assert refusal(tmp_path)[0].startswith(f"lrm.toml:{number}: {key}: must be ")


@pytest.mark.parametrize("digest", ["0" * 63, "G" * 64, "A" * 64, "s3cret"])
def test_a_secret_in_plain_text_is_refused_and_not_repeated(tmp_path: Path, digest: str) -> None:
    write(tmp_path, text=SMALLEST.replace(SECRET, digest))
    complaint = "lrm.toml:4: secret_sha256: must be 64 hexadecimal digits in lower case"
    assert refusal(tmp_path) == [complaint]


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, "a", 'name = ""\nformat = "yaml"\n')
    write(tmp_path, "b", SMALLEST + "colour = 1\n")
    assert [line.partition(": ")[0] for line in refusal(tmp_path)] == [
        "a.toml:1",
        "a.toml:2",
        "a.toml:1",
        "a.toml:1",
        "a.toml:1",
        "b.toml:5",
    ]


def test_a_client_that_could_not_authenticate_is_refused(tmp_path: Path) -> None:
    write(tmp_path, text=SMALLEST.partition("secret")[0])
    assert refusal(tmp_path)[0].startswith("lrm.toml:3: the client cannot authenticate")


def test_jwks_stands_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(json.dumps({"keys": [PUBLIC]}))
    write(tmp_path, text=SMALLEST + 'jwks_file = "k.json"\n' + toml(PUBLIC))
    assert refusal(tmp_path) == ["lrm.toml:5: give jwks or jwks_file, not both"]


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b'id = "a"\nname = "\xff"\n')
    assert refusal(tmp_path) == ["a.toml:2: not UTF-8"]


def test_a_file_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("id = " + "[" * 10_000)
    assert refusal(tmp_path) == ["a.toml:1: nested too deeply"]


def test_an_unfinished_file_is_refused_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('id = "a"\nname = """x\n\n')
    assert refusal(tmp_path)[0].startswith("a.toml:3: not TOML: ")


def test_a_folder_without_registrations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no registration"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("key", "line"), [("id", 1), ("client_id", 3)], ids=["two of one id", "two of one client id"]
)
def test_names_are_unique(tmp_path: Path, key: str, line: int) -> None:
    write(tmp_path, "a")
    other = write(tmp_path, "b")
    value = {"id": "a", "client_id": "a-client"}[key]
    other.write_text(other.read_text().replace(f'{key} = "b', f'{key} = "a', 1))
    wanted = f"b.toml:{line}: {key}: '{value}' is taken by a (a.toml:{line})"
    assert refusal(tmp_path) == [wanted]


@pytest.mark.parametrize("key", ["sends_for", "inbox_for"])
@pytest.mark.parametrize("claimed", ["fr.health.samu440", "fr.health.samu*"])
def test_an_id_belongs_to_one_publisher(tmp_path: Path, key: str, claimed: str) -> None:
    write(tmp_path, "a", SMALLEST, **{key: ["fr.health.x", claimed]})
    write(tmp_path, "b", SMALLEST, **{key: [claimed]})
    assert refusal(tmp_path) == [f"b.toml:5: {key}: '{claimed}' is taken by a (a.toml:5)"]


def test_senders_may_be_shared_where_it_is_allowed_and_inboxes_never(tmp_path: Path) -> None:
    shared = ["fr.health.samu*"]
    write(tmp_path, "a", sends_for=shared)
    write(tmp_path, "b", sends_for=[*shared, "fr.health.samu750"])
    registry = load(tmp_path, exclusive_senders=False)
    for name in "ab":
        owner = registry.by_id(name)
        assert owner is not None and registry.sender_allowed(owner, "fr.health.samu750")
    write(tmp_path, "c", inbox_for=shared)
    write(tmp_path, "d", inbox_for=shared)
    assert len(refusal(tmp_path, exclusive_senders=False)) == 1


def test_an_exact_id_is_carved_out_of_anothers_pattern(tmp_path: Path) -> None:
    write(tmp_path, "a", sends_for=["fr.health.samu*"], inbox_for=["fr.health.samu*"])
    write(tmp_path, "b", sends_for=["fr.health.samu750"], inbox_for=["fr.health.samu750"])
    registry = load(tmp_path)
    a, b = registry.publishers
    assert registry.recipient_publisher("fr.health.samu750") is b
    assert registry.recipient_publisher("fr.health.samu440") is a
    assert registry.sender_allowed(b, "fr.health.samu750")
    assert not registry.sender_allowed(a, "fr.health.samu750")
    assert registry.sender_allowed(a, "fr.health.samu440")
    assert not registry.sender_allowed(b, "fr.health.samu440")


def test_clients_are_found_by_id_and_client_id() -> None:
    one = publisher("one", status="suspended")
    registry = Registry.of([one])
    assert registry.by_id("one") is registry.by_client_id("one-client") is one
    assert registry.by_id("one-client") is registry.by_client_id("one") is None


def test_a_publisher_that_left_the_registry_sends_for_nobody() -> None:
    gone = publisher("gone", sends=("*",))
    assert not Registry.of([publisher("one")]).sender_allowed(gone, "fr.health.samu440")


def test_a_recipient_is_known_to_the_registry_or_to_the_core() -> None:
    registry = Registry.of([publisher("one", inbox=("fr.health.samu4*",))], core_recipients=("fr.fire.*",))
    known = ["fr.health.samu440", "fr.fire.nexsis.sdisZ", "fr.health.samu750", "fr.fire", "fr.fire."]
    assert [registry.is_known(one) for one in known] == [True, True, False, False, False]
    assert registry.recipient_publisher("fr.fire.nexsis.sdisZ") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fr.health.samu440", True),
        ("fr.fire.sis044.cga-044.x_1", True),
        ("fr.health.samu2A0", True),
        ("fr.health", False),
        ("fr..samu440", False),
        (".fr.health.samu440", False),
        ("fr.health.samu440\n", False),
        ("fr.health.samu 440", False),
        ("fr.health.samu*", False),
        ("fr.health.sàmu", False),
        ("", False),
        ("fr.health." + "x" * 246, False),
        ("fr.health." + "x" * 245, True),
    ],
)
def test_an_id_has_three_segments(text: str, expected: bool) -> None:
    assert is_actor_id(text) is expected
    assert (Ids([("*", "anyone")]).owner(text) == "anyone") is expected


@pytest.mark.parametrize(
    ("pattern", "actor_id", "matches"),
    [
        ("fr.health.samu*", "fr.health.samu440", True),
        ("fr.health.samu*", "fr.health.samu", True),
        ("fr.health.samu*", "fr.health.samu440.unit.7", True),
        ("fr.health.samu*", "fr.health.sam", False),
        ("fr.*.samu440", "fr.health.samu440", True),
        ("fr.*.samu440", "fr.samu440.x", False),
        ("fr.health.aba*aba.x", "fr.health.aba.x", False),
        ("*", "fr.health.samu440", True),
    ],
)
def test_a_star_stands_for_any_characters(pattern: str, actor_id: str, matches: bool) -> None:
    assert (Ids([(pattern, 1)]).owner(actor_id) == 1) is matches


def test_the_closest_claim_wins() -> None:
    claims = ["*", "fr.*", "fr.health.*", "fr.health.samu*", "fr.health.samu440", "*.samu440"]
    for last in range(len(claims), 0, -1):
        ranked = sorted(claims[:last], key=lambda c: ("*" not in c, len(c)))
        ids = Ids((claim, claim) for claim in claims[:last])
        assert ids.owner("fr.health.samu440") == ranked[-1]


@given(
    claims=st.dictionaries(
        st.from_regex(r"[ab.]{0,4}\*[ab.]{0,4}|[ab]\.[ab]\.[ab]{1,2}", fullmatch=True),
        st.integers(),
        max_size=9,
    ),
    actor_id=st.from_regex(r"[ab]{1,2}\.[ab]{1,2}\.[ab]{1,2}(\.[ab])?", fullmatch=True),
)
def test_owners_are_as_the_model_says(claims: dict[str, int], actor_id: str) -> None:
    fitting = [
        claim
        for claim in claims
        if re.fullmatch(".*".join(re.escape(part) for part in claim.split("*")), actor_id)
    ]
    best = min(fitting, key=lambda claim: ("*" in claim, -len(claim), claim), default=None)
    ids = Ids(claims.items())
    for _ in range(2):
        assert ids.owner(actor_id) == (None if best is None else claims[best])


def test_a_faulty_reload_keeps_what_was(tmp_path: Path) -> None:
    path = write(tmp_path)
    holder = RegistryHolder(load(tmp_path))
    before = holder.current
    path.write_text(SMALLEST + "colour = 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="unknown key colour"):
        holder.reload(lambda: load(tmp_path))
    assert holder.current is before
    path.write_text(SMALLEST + 'status = "suspended"\n', encoding="utf-8")
    holder.reload(lambda: load(tmp_path))
    assert [p.status for p in holder.current.publishers] == ["suspended"]


def test_a_webhook_may_be_private_where_it_is_allowed(tmp_path: Path) -> None:
    write(tmp_path, text=SMALLEST + '[webhook]\nurl = "http://127.0.0.1:8500/told"\n')
    (read,) = load(tmp_path, private_webhooks=True).publishers
    assert read.webhook == "http://127.0.0.1:8500/told"
