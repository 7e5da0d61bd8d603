"""Markdown to HTML: CommonMark with tables. Of raw HTML only `<a id="…"></a>` counts; the rest is shown as text."""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_ANCHOR = re.compile(r"""<a id="([^"<>\s]+)">""")
_ANCHORS = re.compile(r"""(?:<a id="[^"<>\s]+">\s*</a>\s*)+""")
_COMMENT = re.compile(r"(?:<!--.*?-->\s*)+", re.DOTALL)
BREAKABLE = 16  # characters from which on a path in a text may be broken
_EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the second or third level, for the table of contents."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page's body, its headings, and the links that lead to no page of the site."""

    html: str
    headings: tuple[Heading, ...]
    astray: tuple[str, ...]


def render(text: str, source: str, urls: Mapping[str, str]) -> Rendered:
    """The Markdown of the file `source` as HTML. Links to other files of the repository become those of `urls`.

    A link to a file that is no page is shown as plain text.
    """
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(text)
    headings = _with_anchors(tokens)
    astray = _with_links(tokens, lambda href: resolve(href, source, urls))
    renderer = RendererHTML(parser)
    rules: dict[str, Any] = {
        "html_inline": _html_inline,
        "html_block": _html_block,
        "table_open": _table_open,
        "table_close": lambda *_: "</table></div>\n",
        "th_open": lambda *_: '<th scope="col">',
        "fence": _fence,
        "code_inline": _code_inline,
    }
    renderer.rules |= rules
    html = renderer.render(tokens, parser.options, {})
    return Rendered(html, tuple(h for h in headings if h.level in {2, 3}), tuple(astray))


def resolve(href: str, source: str, urls: Mapping[str, str]) -> str | None:
    """Where a link in the file `source` leads to on the site; None where no page stands for the file."""
    if _EXTERNAL.match(href) or href.startswith(("#", "/")):
        return href
    name, mark, anchor = href.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
    for known in (target, f"{target}/README.md"):
        if known in urls:
            return urls[known] + mark + anchor
    return None


def slug(text: str) -> str:
    """The anchor of a heading, as the usual forges make it."""
    kept = re.sub(r"[^\w\- ]", "", text.strip().lower())
    return kept.replace(" ", "-")


def _with_anchors(tokens: Sequence[Token]) -> list[Heading]:
    headings: list[Heading] = []
    seen: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text = "".join(t.content for t in inline.children or () if t.type in {"text", "code_inline"})
        anchor = slug(text)
        seen[anchor] = seen.get(anchor, -1) + 1
        if seen[anchor]:
            anchor = f"{anchor}-{seen[anchor]}"
        opening.attrSet("id", anchor)
        headings.append(Heading(int(opening.tag[1]), anchor, text))
    return headings


def _with_links(tokens: Sequence[Token], resolved: Callable[[str], str | None]) -> list[str]:
    """Rewrite every link; a link that leads nowhere is taken out, its text stays."""
    astray: list[str] = []
    for block in tokens:
        open_links: list[bool] = []
        for token in block.children or ():
            if token.type == "link_open":
                href = str(token.attrGet("href") or "")
                url = resolved(href)
                open_links.append(url is not None)
                if url is None:
                    astray.append(href)
                    token.hidden, token.type = True, "text"
                else:
                    token.attrSet("href", url)
            elif token.type == "link_close" and not open_links.pop():
                token.hidden, token.type = True, "text"
    return astray


def _html_inline(tokens: Sequence[Token], index: int, *_: Any) -> str:
    content = tokens[index].content
    if anchor := _ANCHOR.fullmatch(content):
        return f'<span id="{escape(anchor[1])}"></span>'
    return "" if content == "</a>" or _COMMENT.fullmatch(content) else escape(content)


def _html_block(tokens: Sequence[Token], index: int, *_: Any) -> str:
    content = tokens[index].content.strip()
    if _ANCHORS.fullmatch(content):
        return "".join(f'<span id="{escape(name)}"></span>' for name in _ANCHOR.findall(content))
    return "" if _COMMENT.fullmatch(content) else f"<p>{escape(content)}</p>\n"


def _code_inline(tokens: Sequence[Token], index: int, *_: Any) -> str:
    """A long path may be broken behind its dots and slashes, so that tables stay narrow."""
    code = escape(tokens[index].content, quote=False)
    broken = re.sub(r"([./])(?=\w)", r"\1<wbr>", code) if len(code) > BREAKABLE else code
    return f"<code>{broken}</code>"


def _table_open(*_: Any) -> str:
    """A table scrolls by itself where it is wider than the screen, by keyboard too."""
    return '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>\n'


def _fence(tokens: Sequence[Token], index: int, *_: Any) -> str:
    token = tokens[index]
    language = token.info.split()[0] if token.info.split() else "text"
    code = escape(token.content, quote=False)
    return f'<pre tabindex="0"><code class="language-{escape(language)}">{code}</code></pre>\n'
