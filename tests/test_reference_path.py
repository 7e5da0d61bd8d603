"""Every visible official sample of the served types goes the whole way: accepted, forwarded, delivered in JSON and XML."""

import json
from pathlib import Path
from typing import Any

import pytest

import schemas
from gateway import edxl, translation
from tests.house import PUBLISHERS, House, house, publisher
from tests.patience import until
from tests.strategies import enveloped

SAMPLES = Path(__file__).parents[1].parent / "shared" / "hubsante" / "samples"
CASES = [
    pytest.param(version, kind, path, id=f"{version}-{path.stem}")
    for version in schemas.VERSIONS
    for kind in schemas.message_types(version)
    for path in sorted((SAMPLES / version / kind).glob("*.json"))
]
SENDER, RECIPIENT, OTHER = "fr.health.samu440", "fr.health.samu750", "fr.health.samu690"


@pytest.mark.skipif(not CASES, reason="the official samples are not here")
@pytest.mark.parametrize(("version", "kind", "path"), CASES)
async def test_a_sample_goes_the_whole_way(tmp_path: Path, version: str, kind: str, path: Path) -> None:
    ((root_key, body),) = json.loads(path.read_text()).items()
    people = tuple(
        publisher(p.id, p.sends_for, p.inbox_for, format=p.format, model_version=version) for p in PUBLISHERS
    )
    people = (*people, publisher("other", (), (OTHER,), format="xml", model_version=version))
    async with house(tmp_path, people) as gateway:
        document = await sent(gateway, root_key, body, RECIPIENT, number=1)
        (item,) = await gateway.inbox("peer")
        assert (item["messageType"], item["content"], item["loss"]) == (kind, document, [])
        if version != "v1":
            document = await sent(gateway, root_key, body, OTHER, number=2)
            (item,) = await gateway.inbox("other")
            assert (item["contentType"], item["loss"]) == (edxl.XML, [])
            assert edxl.decode(item["content"].encode(), edxl.XML, version).document == document


async def sent(gateway: House, root_key: str, body: Any, recipient: str, number: int) -> dict[str, Any]:
    """Send a body to a recipient and bring its Bundle to the inbox; the whole document."""
    document = enveloped(root_key, body, recipient=recipient, internal_id=str(number))
    document["dateTimeExpires"] = "2099-01-01T00:00:00+00:00"
    answer = await gateway.send(document)
    assert answer.status_code == 202, answer.text
    bundle = (await until(lambda: gateway.core.bundles[number - 1 :]))[0]
    assert translation.canonical_issues(bundle) == ()
    delivered = await gateway.deliver(bundle)
    assert delivered.status_code == 200, delivered.text
    return document
