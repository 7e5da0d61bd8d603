"""The documentation site: every page is reached by links, no link is dead, and nothing that a page says can run."""

from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import lxml.html
import pytest

from gateway.settings import Settings
from gateway.site import Site, answer, load_site, settings_page
from gateway.site.layout import the_site
from gateway.site.markdown import render, slug
from tests.house import BASE, House, house

URLS = {"docs/errors.md": "/docs/errors", "docs/reference/messages/README.md": "/docs/reference/messages"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site()


def texts(tree: lxml.html.HtmlElement, xpath: str) -> list[str]:
    found: Any = tree.xpath(xpath)
    return [str(value) for value in found]


def links(tree: lxml.html.HtmlElement) -> set[str]:
    found = texts(tree, "//a/@href | //link/@href | //script/@src | //img/@src")
    return {link for link in found if not link.startswith("data:")}


async def test_every_page_is_reached_by_links_and_no_link_or_anchor_is_dead(gateway: House) -> None:
    waiting, anchors, wanted = {"/docs"}, dict[str, set[str]](), dict[str, str]()
    while waiting:
        path = waiting.pop()
        got = await gateway.client.get(path)
        assert got.status_code == 200, f"{path}, linked from {wanted.get(path)}"
        anchors[path] = set()
        if not got.headers["content-type"].startswith("text/html"):
            continue
        tree = lxml.html.fromstring(got.text)
        ids = texts(tree, "//@id")
        assert len(ids) == len(set(ids)), (
            f"{path} has an id twice: {[n for n in ids if ids.count(n) > 1][:3]}"
        )
        anchors[path] = set(ids)
        for link in links(tree):
            target = urljoin(BASE + path, link)
            if target.startswith(BASE):
                wanted.setdefault(target.removeprefix(BASE), path)
                waiting |= {urldefrag(target.removeprefix(BASE))[0]} - anchors.keys()
    for target, linked_from in wanted.items():
        path, anchor = urldefrag(target)
        assert not anchor or unquote(anchor) in anchors[path], f"{target}, linked from {linked_from}"
    assert the_site().pages.keys() <= anchors.keys()


def test_every_link_between_the_files_leads_to_a_page(site: Site) -> None:
    astray = {page.source: render(page.text, page.source, site.urls).astray for page in site.pages.values()}
    assert {source: found for source, found in astray.items() if found} == {}


def test_every_page_begins_with_its_title(site: Site) -> None:
    assert [page.source for page in site.pages.values() if page.title == page.source] == []


def test_urls_follow_the_files(site: Site) -> None:
    assert site.urls["docs/README.md"] == "/docs"
    assert site.urls["docs/errors.md"] == "/docs/errors"
    assert site.urls["docs/reference/messages/README.md"] == "/docs/reference/messages"
    assert site.urls["docs/reference/messages/RS-EDA-MAJ-v3.md"] == "/docs/reference/messages/RS-EDA-MAJ/v3"
    assert site.urls["schemas/terminology/sexe.csv"] == "/docs/reference/codes/sexe"
    assert site.pages["/docs/tutoriel"].language == "fr"


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/api", "/docs/translate", "/docs/errors", "/docs/static/site.js"]
)
async def test_no_answer_lets_another_host_or_an_inline_script_in(gateway: House, path: str) -> None:
    got = await gateway.client.get(path)
    policy = dict(part.strip().split(" ", 1) for part in got.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'"
    assert {word for words in policy.values() for word in words.split()} <= {
        "'self'",
        "'none'",
        "data:",
        "'unsafe-inline'",
    }
    assert ("'unsafe-inline'" in policy["style-src"]) == (path == "/docs/api")
    if got.headers["content-type"].startswith("text/html"):
        tree = lxml.html.fromstring(got.text)
        assert [str(url) for url in links(tree) if urlsplit(url).netloc and not url.startswith("http")] == []
        assert tree.xpath("//script[not(@src)] | //style | //@style | //@*[starts-with(name(), 'on')]") == []


async def test_a_page_that_is_not_there_gives_404_and_is_not_remembered(gateway: House) -> None:
    for path in ("/docs/nothing", "/docs/static/../content.py", "/docs/%2e%2e/model.py", "/docs/README.md"):
        got = await gateway.client.get(path)
        assert (got.status_code, got.headers["content-type"]) == (404, "application/fhir+json"), path
    assert answer("/docs/nothing") is None


async def test_a_slash_at_the_end_leads_to_the_page(gateway: House) -> None:
    got = await gateway.client.get("/docs/errors/")
    assert (got.status_code, got.headers["location"]) == (308, "/docs/errors")
    assert (await gateway.client.head("/docs/errors")).status_code == 200
    assert (await gateway.client.post("/docs/errors")).status_code == 405


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a <script>alert(1)</script>", "<p>a &lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>\n"),
        ('<a id="x"></a>', '<span id="x"></span>'),
        ('| a |\n|---|\n| <a id="b.c"></a>`c` |', '<span id="b.c"></span><code>c</code>'),
        ('x <a id="y" onclick="z">', "<p>x &lt;a id=&quot;y&quot; onclick=&quot;z&quot;&gt;</p>\n"),
        ("<!-- a comment -->", ""),
        (
            "`a.b` `<qualification>.riskThreat[]`",
            "<code>a.b</code> <code>&lt;qualification&gt;.<wbr>riskThreat[]</code>",
        ),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](errors.md#1-not-json)", '<p><a href="/docs/errors#1-not-json">x</a></p>\n'),
        ("[x](reference/messages/)", '<p><a href="/docs/reference/messages">x</a></p>\n'),
        ("[x](nowhere.md)", "<p>x</p>\n"),
    ],
)
def test_markdown(text: str, html: str) -> None:
    assert html in render(text, "docs/README.md", URLS).html
    assert "<script" not in render(text, "docs/README.md", URLS).html


def test_headings_have_the_anchors_of_the_forges() -> None:
    rendered = render("# T\n## A `b`: c\n## A b c\n### Été, l'ack\n", "docs/README.md", {})
    assert [heading.anchor for heading in rendered.headings] == ["a-b-c", "a-b-c-1", "été-lack"]
    assert '<h2 id="a-b-c-1">' in rendered.html
    assert slug("1 Not JSON") == "1-not-json"


def test_the_page_of_the_settings_is_up_to_date() -> None:
    shown = settings_page.PAGE.read_text(encoding="utf-8")
    assert shown == settings_page.text(), "run `python -m gateway.site`"
    assert shown.count("| <a id=") == len(fields(Settings))
