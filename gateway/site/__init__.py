"""The documentation site: the Markdown files of `docs/` as pages under `/docs`, from files of this package alone.

`content` finds the pages and says at which URL each stands, `markdown` turns one into HTML, `layout` puts it into the
frame with its navigation. Pure but for reading files; `gateway.pages` answers the requests.
"""

from gateway.site.content import Page, Site, load_site
from gateway.site.layout import Answer, answer

__all__ = ["Answer", "Page", "Site", "answer", "load_site"]
