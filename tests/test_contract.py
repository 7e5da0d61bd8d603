"""The server against its contract: every route is documented, every documented path is served."""

from gateway import oauth2
from gateway.app import ROUTES
from tests.oauth2_samples import service
from tests.openapi_documents import documented

PAGE_PARTS = {("GET", "/docs/start.js")}  # files of the page at /docs


def served() -> set[tuple[str, str]]:
    ours = {(method, path) for method, path, _ in ROUTES}
    theirs = {
        (method, route.path)
        for route in oauth2.routes(service())
        for method in (route.methods or set()) - {"HEAD"}
    }
    return (ours | theirs) - PAGE_PARTS


def test_served_and_documented_are_the_same() -> None:
    assert served() == documented("gateway.yaml")
