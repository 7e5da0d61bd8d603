"""What the search box of the site looks through: titles, headings, and the fields of each type's newest version."""

import re
from collections.abc import Iterator

from gateway.site.content import Page, Site
from gateway.site.markdown import slug

_HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
_FIELD = re.compile(r'<a id="([^"]+\.[^"]+)"></a>')
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_MESSAGES = "/docs/reference/messages/"


def search_index(site: Site) -> list[tuple[str, str, str]]:
    """Each place as (what is looked for, the page's title, URL), in the order of the pages."""
    newest = {page.url.rpartition("/")[0]: page.url for page in sorted(site.pages.values(), key=_url)}
    found: list[tuple[str, str, str]] = []
    for page in site.pages.values():
        found.append((page.title, "", page.url))
        if page.section:
            found += _headings(page)
        elif page.url.startswith(_MESSAGES) and newest[page.url.rpartition("/")[0]] == page.url:
            found += [
                (name, page.title, f"{page.url}#{name}") for name in dict.fromkeys(_FIELD.findall(page.text))
            ]
    return found


def _url(page: Page) -> str:
    return page.url


def _headings(page: Page) -> Iterator[tuple[str, str, str]]:
    seen: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", page.text)):
        anchor = slug(heading)
        if anchor not in seen:  # a second heading of the same words is found by the first
            yield heading.replace("`", ""), page.title, f"{page.url}#{anchor}"
        seen.add(anchor)
