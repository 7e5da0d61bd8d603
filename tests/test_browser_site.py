"""The site in a real browser, wide and narrow: nothing asks another host, axe-core finds nothing serious, and the
translate page works.
"""

import asyncio
import json
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from gateway.app import create_app
from gateway.site.content import SECTIONS
from gateway.site.layout import the_site
from tests.house import case, house, secret
from tests.patience import GIVE_UP
from tests.test_readme import free_port, sandbox_process, wait_ready

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parent / "judges" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (1280, 390)
SHORT = ("/docs/reference/messages/RC-REF/v3", "/docs/mappings/RC-REF/v3", "/docs/reference/codes/etape")
LONG = ("/docs/reference/messages/RC-EDA/v3", "/docs/mappings/RC-EDA/v3", "/docs/reference/codes/motif")
expect.set_options(timeout=GIVE_UP * 1_000)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not here"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed in tests/judges"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real gateway, served by uvicorn in a thread of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        folder, started = tmp_path_factory.mktemp("gateway"), threading.Event()
        servers: list[uvicorn.Server] = []

        async def serve() -> None:
            async with house(folder) as running:
                config = uvicorn.Config(
                    create_app(running.runtime), lifespan="off", ws="none", log_config=None
                )
                servers.append(uvicorn.Server(config))
                started.set()
                await servers[0].serve([listener])

        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        assert started.wait(GIVE_UP)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        servers[0].should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-background-networking"]
    proxies = {name for name in os.environ if name.lower().endswith("_proxy")}
    environ: dict[str, str | float | bool] = {k: v for k, v in os.environ.items() if k not in proxies}
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, env=environ)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A sandbox of its own process."""
    port = free_port()
    process = sandbox_process(tmp_path_factory.mktemp("sandbox"), port)
    try:
        wait_ready(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=GIVE_UP)


@dataclass
class Watched:
    """A browser page, and all that it asked for and complained of."""

    page: Page
    base: str
    urls: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def visit(self, path: str) -> None:
        self.page.goto(self.base + path)

    def serious(self) -> list[str]:
        """What axe-core finds of serious or critical impact."""
        self.page.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
        found: Any = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
            if rule["impact"] in {"serious", "critical"}
        ]

    def overflow(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@contextmanager
def watched(browser: Browser, base: str, width: int, scheme: Any = "light") -> Iterator[Watched]:
    size: ViewportSize = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme)
    context.set_default_timeout(GIVE_UP * 1_000)
    seen = Watched(context.new_page(), base)
    seen.page.on("request", lambda request: seen.urls.append(request.url))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("console", lambda said: seen.complaints.extend([said.text] if said.type == "error" else []))
    yield seen
    others = [url for url in seen.urls if urlsplit(url).scheme != "data" and not url.startswith(base + "/")]
    context.close()
    assert others == []


def shown_pages() -> list[str]:
    """Every page of the navigation, those of our own making, and a short one of each collection."""
    site = the_site()
    paths = [page.url for name in SECTIONS for page in site.section(name)]
    return ["/docs", "/docs/translate", *paths, *SHORT]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pages_are_accessible_fit_the_screen_and_stay_at_home(
    browser: Browser, base: str, width: int, scheme: str
) -> None:
    with watched(browser, base, width, scheme) as seen:
        for path in [*shown_pages(), *LONG]:
            seen.page.goto(base + path)
            assert seen.overflow() <= 0, path
            assert seen.page.title() and seen.page.locator("h1").count() == 1, path
            assert path in LONG or seen.serious() == [], path  # axe-core looks at each cell of a table
        assert seen.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_contract_is_shown_from_files_of_this_host(browser: Browser, base: str, width: int) -> None:
    with watched(browser, base, width) as seen:
        seen.visit("/docs/api")
        expect(seen.page.locator("#swagger-ui")).to_contain_text("/v1/messages/$validate")
        seen.page.locator("#operations-messages-sendMessage button").first.click()
        expect(seen.page.locator("#operations-messages-sendMessage")).to_contain_text(
            "EDXL-DE 2.0 distribution"
        )
        assert seen.serious() == []
        assert seen.overflow() <= 0
        assert seen.complaints == []


def test_the_keyboard_skips_the_menu(browser: Browser, base: str) -> None:
    with watched(browser, base, 1280) as seen:
        seen.visit("/docs/errors")
        seen.page.keyboard.press("Tab")
        expect(seen.page.locator(":focus")).to_have_text("Skip to content")
        seen.page.keyboard.press("Enter")
        expect(seen.page.locator("main")).to_be_focused()


def test_the_menu_opens_where_it_is_narrow(browser: Browser, base: str) -> None:
    with watched(browser, base, 390) as seen:
        seen.visit("/docs")
        link = seen.page.get_by_role("navigation", name="Documentation").get_by_role("link").first
        expect(link).to_be_hidden()
        seen.page.get_by_text("Documentation", exact=True).first.click()
        expect(link).to_be_visible()


def test_the_search_finds_a_field_and_leads_to_it(browser: Browser, base: str) -> None:
    with watched(browser, base, 390) as seen:
        seen.visit("/docs")
        seen.page.get_by_label("Search").press_sequentially("createCaseHealth.patient birthdate")
        expect(seen.page.locator("#search-found")).to_have_text("1 found")
        assert seen.serious() == [] and seen.overflow() <= 0
        seen.page.locator("#search-hits a").click()
        field = "createCaseHealth.patient.identity.strictFeatures.birthDate"
        seen.page.wait_for_url(f"{base}/docs/reference/messages/RS-EDA/v3#{field}")
        expect(seen.page.locator(f'[id="{field}"]')).to_be_in_viewport()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_sandbox_page_is_accessible_and_stays_at_home(browser: Browser, sandbox: str, width: int) -> None:
    with watched(browser, sandbox, width) as seen:
        seen.visit("/sandbox")
        assert seen.serious() == [] and seen.overflow() <= 0
        assert seen.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
class TestTranslate:
    """The translate page, used as a publisher's engineer uses it."""

    @pytest.fixture
    def seen(self, browser: Browser, base: str, width: int) -> Iterator[Watched]:
        with watched(browser, base, width) as seen:
            seen.visit("/docs/translate")
            yield seen
            page = seen.page
            assert page.url == base + "/docs/translate"
            assert secret("lrm") not in " ".join(seen.urls)
            assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
            assert seen.serious() == []
            assert seen.overflow() <= 0

    def credentials(self, page: Page) -> None:
        page.get_by_label("Client id").fill("lrm")
        page.get_by_label("Client secret").fill(secret("lrm"))

    def paste(self, page: Page, document: Any) -> None:
        page.get_by_label("Message: EDXL-DE").fill(
            document if isinstance(document, str) else json.dumps(document)
        )

    def test_the_example_becomes_a_bundle_without_loss(self, seen: Watched) -> None:
        page = seen.page
        self.credentials(page)
        page.get_by_role("button", name="Insert an example").click()
        expect(page.get_by_label("Message: EDXL-DE")).to_have_value(json_of("createCaseHealth"))
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_role("status")).to_contain_text("application/fhir+json, no loss")
        bundle = json.loads(page.locator("#made").inner_text())
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "message")
        assert "createCaseHealth" in page.locator("#sent").inner_text()
        expect(page.get_by_text("Nothing is lost.")).to_be_visible()
        self.paste(page, bundle)
        page.get_by_label("To", exact=True).select_option("RS-EDA v3")
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_role("status")).to_contain_text("application/json, no loss")

    def test_what_xml_cannot_say_is_listed(self, seen: Watched) -> None:
        page = seen.page
        self.credentials(page)
        self.paste(page, case(1, location={"name": "Place du Marché", "externalLocationId": []}))
        page.get_by_label("To", exact=True).select_option("RS-EDA v3")
        page.get_by_label("as", exact=True).select_option("xml")
        page.get_by_role("button", name="Translate").click()
        expect(page.locator("#loss tr").first).to_contain_text("externalLocationId")
        made = page.locator("#made").inner_text()
        assert made.startswith("<?xml")
        self.paste(page, made)
        page.get_by_label("as", exact=True).select_option("json")
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_role("status")).to_contain_text("application/json, no loss")
        assert json.loads(page.locator("#made").inner_text())["distributionID"] == "fr.health.samu440_1"

    def test_a_refused_message_shows_each_issue_with_its_pointer(self, seen: Watched) -> None:
        page = seen.page
        self.credentials(page)
        self.paste(page, case(1, creation="yesterday", perimeter="NONE"))
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_role("status")).to_contain_text("Refused (422)")
        pointers = page.locator("#issues .pointer").all_inner_texts()
        assert [pointer.rpartition("/")[2] for pointer in sorted(pointers)] == ["creation", "perimeter"]
        expect(page.locator("#result")).to_be_hidden()
        place = page.get_by_role("link", name="The field's page").first.get_attribute("href")
        assert place is not None and place.startswith("/docs/reference/messages/RS-EDA/v3#createCaseHealth.")
        page.get_by_role("button", name="Validate only").click()
        expect(page.get_by_role("status")).to_contain_text("It would be refused: 2 errors")

    def test_no_message_no_or_wrong_credentials_are_said(self, seen: Watched) -> None:
        page = seen.page
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_role("status")).to_contain_text("Paste a message first")
        self.paste(page, case(1))
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_role("status")).to_contain_text("Give a client id and its secret")
        page.get_by_label("or an access token").fill("forged")
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_role("status")).to_contain_text("Refused (401)")
        page.get_by_label("or an access token").fill("")
        page.get_by_label("Client id").fill("lrm")
        page.get_by_label("Client secret").fill("wrong")
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_role("status")).to_contain_text("Refused (401)")

    def test_nothing_of_a_message_can_run(self, seen: Watched) -> None:
        page = seen.page
        self.credentials(page)
        self.paste(page, case(1, perimeter="<img src=x onerror=document.title='run'>"))
        page.get_by_role("button", name="Translate").click()
        expect(page.locator("#issues li").first).to_be_visible()
        assert page.locator("#issues img").count() == 0
        assert "run" not in page.title()


def json_of(member: str) -> re.Pattern[str]:
    """What a text field's value matches once the example is in it."""
    return re.compile(f'"{member}"')
