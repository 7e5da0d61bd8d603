"""`gateway webhooks`: what an operator sees of the publishers' webhooks, and does about them, while a gateway runs."""

from pathlib import Path

import orjson
import pytest

from gateway import operator
from gateway.settings import Settings
from tests.store_samples import NOW, delivery, opened, url
from tests.test_desk import cli, running

FACTS = (
    'name = "x"\nsecret_sha256 = "{digest}"\nid = "{name}"\nclient_id = "{name}"\n[webhook]\nurl = "{url}"\n'
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a registry that has webhooks."""
    monkeypatch.chdir(tmp_path)
    registry = Path("registry")
    registry.mkdir()
    for name in ("south", "west"):
        text = FACTS.format(digest="0" * 64, name=name, url=f"https://{name}.example/told")
        (registry / f"{name}.toml").write_text(text)
    monkeypatch.setenv("GATEWAY_REGISTRY_DIR", "registry")
    return Path()


async def test_an_operator_sees_what_waits_and_what_is_disabled_and_lifts_that(folder: Path) -> None:
    async with running(folder) as store:
        item = await store.deposit(delivery(1, notify=True), NOW)
        await store.events.put_off(item.id, NOW + 5, 3)
        await store.events.disable("west", "https://west.example/told", NOW + 1)
        await store.deposit(delivery(2, notify=True, publisher_id="gone"), NOW)
        code, out, err = await cli("webhooks", "--json")
        assert code == 0, err
        gone, south, west = orjson.loads(out)
        assert (gone["publisher"], gone["url"], gone["waiting"]) == ("gone", "", 1)
        assert south == {
            "publisher": "south",
            "url": "https://south.example/told",
            "waiting": 1,
            "oldest": "2027-01-15T08:00:00+00:00",
            "attempts": 3,
            "disabledAt": None,
        }
        assert (west["waiting"], west["disabledAt"]) == (0, "2027-01-15T08:00:01+00:00")
        code, out, _ = await cli("webhooks")
        assert code == 0 and "south" in out and "disabled" in out
        assert (await cli("webhooks", "--enable", "west"))[:2] == (0, "west is enabled again\n")
        assert (await cli("webhooks", "--enable", "west"))[:2] == (1, "west was not disabled\n")


async def test_what_was_disabled_before_the_url_changed_is_not(folder: Path) -> None:
    made = Settings(database_url=url(folder), registry_dir=Path("registry"))
    async with opened(folder) as store:
        await store.events.disable("west", "https://old.example/told", NOW)
    assert [one["disabledAt"] for one in await operator.webhooks(made)] == [None, None]
    assert await operator.enable_webhook(made, "west") is True
