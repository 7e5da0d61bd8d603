"""The pages of the site and their URLs, found in the files of the repository or of the installed package."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import schemas
from schemas import codes

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PACKAGED = HERE / "docs"  # where the wheel carries docs/
DOCS = PACKAGED if PACKAGED.is_dir() else ROOT / "docs"
HOME = "/docs"
API = "/docs/api"
TRANSLATE = "/docs/translate"
CODES = "/docs/reference/codes"
CANONICAL = "/docs/canonical"
SECTIONS = ("Tutorials", "How-to guides", "Reference", "Explanation")
FOLDERS = {"how-to": "How-to guides", "reference": "Reference", "explanation": "Explanation"}
PLACES = {  # of the top files whose section is another than Reference
    "README": "",
    "tutorial": "Tutorials",
    "tutoriel": "Tutorials",
    "operations": "How-to guides",
    "decisions": "Explanation",
}
ELSEWHERE = {  # files outside docs/ that are pages too
    "publishers/registry/README.md": "/docs/reference/registration",
    "publishers/sdk/README.md": "/docs/reference/sdk",
}
FRENCH = frozenset({"docs/tutoriel.md", "docs/explanation/donnees-personnelles.md"})
_VERSIONED = re.compile(r"(.+)-(v\d+)")  # RS-EDA-v3.md stands at RS-EDA/v3
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".xml": "application/xml",
    ".csv": "text/csv",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the site. `source` is its file's name in the repository, by which other files link to it.

    `section` is "" where the navigation does not show the page.
    """

    url: str
    source: str
    title: str
    section: str
    text: str

    @property
    def language(self) -> str:
        """BCP 47 language tag."""
        return "fr" if self.source in FRENCH else "en"


@dataclass(frozen=True, slots=True)
class Site:
    """All pages and files by URL, and the URL of each source file."""

    pages: Mapping[str, Page]
    files: Mapping[str, Path]
    urls: Mapping[str, str]

    def section(self, name: str) -> list[Page]:
        """The pages of a section, in the navigation's order."""
        return [page for page in self.pages.values() if page.section == name]


def load_site(docs: Path = DOCS) -> Site:
    """Read every page. Raises OSError where the files are not there."""
    pages = sorted([*_written(docs), *_elsewhere(), *_code_lists(), *_artefacts()], key=_order)
    urls = {page.source: page.url for page in pages} | {"openapi/gateway.yaml": "/openapi.yaml"}
    files = {}
    for url, source, path in _files(docs):
        files[url] = path
        urls[source] = url
    return Site({page.url: page for page in pages}, files, urls)


def media_type(path: Path) -> str:
    """The media type of a file by its name; UTF-8 where it is text."""
    return _TYPES[path.suffix]


def _written(docs: Path) -> Iterator[Page]:
    for path in sorted(docs.rglob("*.md")):
        parts = path.relative_to(docs).with_suffix("").parts
        source = "docs/" + path.relative_to(docs).as_posix()
        yield _page(_url(parts), source, _section(parts), path.read_text(encoding="utf-8"))


def _url(parts: tuple[str, ...]) -> str:
    *folders, name = parts
    versioned = _VERSIONED.fullmatch(name) if folders else None
    last = [] if name == "README" else list(versioned.groups()) if versioned else [name]
    return "/".join([HOME, *folders, *last])


def _section(parts: tuple[str, ...]) -> str:
    *folders, name = parts
    if not folders:
        return PLACES.get(name, "Reference")
    if len(folders) > 1 or folders[0] not in FOLDERS:  # a collection: its index alone is shown
        return "Reference" if name == "README" else ""
    return FOLDERS[folders[0]]


def _page(url: str, source: str, section: str, text: str) -> Page:
    found = _TITLE.search(text)
    return Page(url, source, found[1].replace("`", "") if found else source, section, text)


def _elsewhere() -> Iterator[Page]:
    for source, url in ELSEWHERE.items():
        path = ROOT / source
        if path.exists():
            yield _page(url, source, "Reference", path.read_text(encoding="utf-8"))


def _code_lists() -> Iterator[Page]:
    names = sorted(path.name for path in (schemas.ROOT / "terminology").glob("*.csv"))
    head = "# Code lists\n\nThe codes of each list with their official labels.\n"
    yield _listing(CODES, "schemas/terminology", head, names)
    for name in names:
        stem = name.removesuffix(".csv")
        text = _code_list(stem, schemas.ROOT / "terminology")
        yield _page(f"{CODES}/{stem}", f"schemas/terminology/{name}", "", text)


def _artefacts() -> Iterator[Page]:
    names = sorted(path.name for path in (schemas.ROOT / "canonical" / "fhir").glob("*.json"))
    head = "# FHIR artefacts\n\nThe profile of the canonical Bundle, as FHIR tools load it.\n"
    yield _listing(CANONICAL, "schemas/canonical/fhir", head, names)


def _listing(url: str, source: str, head: str, names: list[str]) -> Page:
    """The index of a folder, `source`, whose files are pages or files of the site."""
    folder = source.rpartition("/")[2]
    lines = [f"- [{name.rpartition('.')[0]}]({folder}/{name})" for name in names]
    return _page(url, source, "Reference", "\n".join([head, *lines]))


def _code_list(name: str, folder: Path) -> str:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    cells = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row] for row in rows]
    part = "" if codes.complete(name) else " are known of this list. It has more"
    lines = [f"# Code list {name}", "", f"{len(rows) - 1} codes{part}.", ""]
    lines += [f"| {' | '.join(cells[0])} |", f"|{'---|' * len(cells[0])}"]
    lines += [f"| `{code}` | {' | '.join(more)} |" for code, *more in cells[1:]]
    return "\n".join(lines)


def _files(docs: Path) -> Iterator[tuple[str, str, Path]]:
    """URL, name in the repository and place of each file that is served as it is."""
    folders = (
        ("/docs/static", "gateway/site/static", HERE / "static"),
        ("/docs/examples", "docs/examples", docs / "examples"),
        (CANONICAL, "schemas/canonical/fhir", schemas.ROOT / "canonical" / "fhir"),
    )
    for url, source, folder in folders:
        for path in sorted(folder.glob("*.*")):
            yield f"{url}/{path.name}", f"{source}/{path.name}", path
    yield "/docs/core.yaml", "openapi/core.yaml", ROOT / "openapi" / "core.yaml"


def _order(page: Page) -> tuple[int, bool, str]:
    """Sections as they are named; in the tutorials English first; then by title."""
    section = SECTIONS.index(page.section) if page.section else -1
    return section, page.language == "fr", page.title.casefold()
