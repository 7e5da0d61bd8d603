"""Imports point down only: a module may import its own room and rooms on lower floors, never a neighbour's."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [
    ["schemas"],
    ["gateway.model", "gateway.errors", "gateway.headers", "gateway.hub"],
    ["gateway.reference", "gateway.perimeter"],
    [
        "gateway.edxl",
        "gateway.validation",
        "gateway.translation",
        "gateway.quota",
        "gateway.outcome",
        "gateway.answers",
        "gateway.body",
        "gateway.budget",
        "gateway.case_turns",
        "gateway.addresses",
        "gateway.callers",
        "gateway.breaker",
        "gateway.case_memory",
        "gateway.core_breaker",
        "gateway.parameters",
        "gateway.readers",
        "gateway.request_head",
        "gateway.exchange",
        "gateway.pace",
    ],
    ["gateway.conversion", "gateway.answer_reading"],
    ["gateway.conversion", "gateway.duplicate_members"],
    ["gateway.error_reports", "gateway.intake", "gateway.views", "gateway.canonical_files"],
    ["gateway.dry_run"],
    ["gateway.registry", "gateway.observability"],
    ["gateway.settings", "gateway.offload"],
    ["gateway.oauth2", "gateway.store", "gateway.core", "gateway.site", "gateway.shared_quota"],
    ["gateway.webhooks"],
    ["gateway.runtime", "gateway.versions", "gateway.desk"],
    ["gateway.acceptance", "gateway.answer_check", "gateway.replicas", "gateway.undeliverable"],
    [
        "gateway.runtime",
        "gateway.versions",
        "gateway.desk",
    ],
    [
        "gateway.acceptance",
        "gateway.case_context",
        "gateway.judging",
        "gateway.expiry",
        "gateway.replicas",
        "gateway.report",
    ],
    [
        "gateway.receive",
        "gateway.forward",
        "gateway.deliver",
        "gateway.inbox",
        "gateway.messages",
        "gateway.translate",
        "gateway.stream",
        "gateway.pages",
        "gateway.edge",
    ],
    ["gateway.app", "gateway.forwarder"],
    ["gateway.workers", "gateway.connection"],
    ["gateway.protocol"],
    ["gateway.server"],
    ["gateway.app", "gateway.forwarder", "gateway.workbench"],
    ["gateway.workers", "gateway.server"],
    ["gateway.service", "gateway.operator", "gateway.files"],
    ["gateway.checks"],
    ["publishers.sandbox", "publishers.conformance"],
    ["gateway.__main__"],
]
ONLY_MAIN_MAY_IMPORT = ("publishers.sandbox", "publishers.conformance")


def _room(module: str) -> str | None:
    rooms = [room for floor in FLOORS for room in floor]
    return next((r for r in rooms if module == r or module.startswith(r + ".")), None)


def _floor(room: str) -> int:
    return next(n for n, floor in enumerate(FLOORS) if room in floor)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(source: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def breaches(module: str, source: str) -> list[str]:
    """Every import of a module's source that points up or sideways."""
    own = _room(module)
    if own is None:
        return []
    bad = []
    for name, line in _imports(source):
        target = _room(name)
        if target is None or target == own:
            continue
        allowed = _floor(target) < _floor(own) or (own, target) == ("gateway.errors", "gateway.model")
        if not allowed:
            bad.append(f"line {line}: {own} imports {name}")
        if target in ONLY_MAIN_MAY_IMPORT and own != "gateway.__main__":
            bad.append(f"line {line}: only gateway.__main__ imports {target}")
    return bad


FILES = sorted(p for top in ("gateway", "schemas", "publishers") for p in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    assert breaches(_module(path), path.read_text()) == []


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.parts[-2] != "__pycache__"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_every_gateway_module_has_a_floor() -> None:
    homeless = [p for p in FILES if p.is_relative_to(ROOT / "gateway") and _room(_module(p)) is None]
    assert [str(p.relative_to(ROOT)) for p in homeless] == ["gateway/__init__.py"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gateway.edxl.json_codec", "from gateway.store.sqlite import SqliteStore"),
        ("gateway.edxl.json_codec", "from gateway.store import sqlite"),
        ("gateway.edxl.json_codec", "from gateway import store"),
        ("gateway.edxl.json_codec", "import gateway.store.sqlite"),
        ("gateway.edxl.json_codec", "def later():\n    import gateway.store"),
        ("gateway.edxl", "import gateway.validation"),  # sideways
        ("gateway.model", "from gateway.errors import Issue"),
        ("schemas.fields", "import gateway.model"),
        ("publishers.conformance.run", "import publishers.sandbox"),
        ("publishers.sandbox.core", "import gateway.__main__"),
    ],
)
def test_the_rule_sees_an_import_that_points_up_or_sideways(module: str, source: str) -> None:
    assert len(breaches(module, source)) >= 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gateway.store.sqlite", "import gateway.store.rows\nfrom gateway.edxl import facts\nimport orjson"),
        ("gateway.errors", "from gateway.model import JsonObject"),
        ("gateway.__main__", "from publishers import sandbox"),
        ("tests.house", "from gateway import app"),
    ],
)
def test_the_rule_lets_imports_pass_that_point_down(module: str, source: str) -> None:
    assert breaches(module, source) == []


def test_only_main_imports_the_sandbox() -> None:
    below = breaches("gateway.service", "import publishers.sandbox")
    assert [line.partition(": ")[2] for line in below] == [
        "gateway.service imports publishers.sandbox",
        "only gateway.__main__ imports publishers.sandbox",
    ]
