"""A page in its frame: navigation, table of contents, and the headers that let nothing come from another host."""

import json
import re
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import schemas
from gateway.site.content import API, HERE, HOME, SECTIONS, TRANSLATE, Site, load_site, media_type
from gateway.site.markdown import render
from gateway.site.search import search_index

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
API_POLICY = POLICY.replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'"
)  # Swagger UI styles by attributes
HTML = "text/html"
SEARCH = "/docs/search.json"
_COLLECTIONS = {"/docs/reference/messages": "Fields", "/docs/mappings": "Mapping"}
_OF_A_TYPE = re.compile(r"(/docs/reference/messages|/docs/mappings)/([^/]+)/(v\d+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is served at one URL."""

    body: bytes
    media_type: str
    policy: str = POLICY

    @property
    def headers(self) -> dict[str, str]:
        """The headers beside Content-Type."""
        return {
            "Content-Security-Policy": self.policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }


@cache
def the_site() -> Site:
    """The site of this installation, read once."""
    return load_site()


def answer(url: str) -> Answer | None:
    """The page or file at a URL path without a slash at its end; None where there is none."""
    site = the_site()
    known = url in site.pages or url in site.files or url in {TRANSLATE, API, SEARCH}
    return _made(url) if known else None  # what does not exist is not remembered: its names have no end


@cache
def _made(url: str) -> Answer:
    site = the_site()
    if url == SEARCH:
        return Answer(json.dumps(search_index(site), ensure_ascii=False).encode(), "application/json")
    if url in site.files:
        return Answer(site.files[url].read_bytes(), media_type(site.files[url]))
    if url == TRANSLATE:
        return Answer(_framed(site, url, "translate.html", "Translate a message", versions=_versions()), HTML)
    if url == API:
        return Answer(_framed(site, url, "api.html", "The contract"), HTML, API_POLICY)
    return Answer(_page(site, url), HTML)


def _page(site: Site, url: str) -> bytes:
    page = site.pages[url]
    rendered = render(page.text, page.source, site.urls)
    return _framed(
        site, url, "page.html", page.title, page.language, body=rendered.html, headings=rendered.headings
    )


def _framed(site: Site, url: str, template: str, title: str, language: str = "en", **more: object) -> bytes:
    navigation = [(name, site.section(name)) for name in SECTIONS]
    above = [site.pages[parent] for parent in _parents(url) if parent in site.pages]
    frame = {"url": url, "title": title, "language": language, "navigation": navigation, "above": above}
    frame["beside"] = _beside(site, url)
    places = {"home": HOME, "api": API, "translate": TRANSLATE}
    return _templates().get_template(template).render(frame | places | more).encode()


def _parents(url: str) -> list[str]:
    parts = url.split("/")
    return ["/".join(parts[:length]) for length in range(2, len(parts))]


def _beside(site: Site, url: str) -> list[tuple[str, str]]:
    """URL and name of what else there is about the message type of a page: its other versions, its other view."""
    match = _OF_A_TYPE.fullmatch(url)
    if not match:
        return []
    collection, name, version = match.groups()
    others = [(f"{collection}/{name}/{v}", v) for v in schemas.VERSIONS if v != version]
    views = [(f"{c}/{name}/{version}", title) for c, title in _COLLECTIONS.items() if c != collection]
    return [(there, title) for there, title in [*views, *others] if there in site.pages]


def _versions() -> dict[str, tuple[str, ...]]:
    return {version: tuple(sorted(schemas.message_types(version))) for version in reversed(schemas.VERSIONS)}


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
