"""`deploy/alerts.yaml`: rules that Prometheus takes, that fire for what they are meant for, and that lead to what to do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client import generate_latest

from gateway.observability import METRICS
from gateway.site.markdown import slug
from tests.test_service import Served, served

__all__ = ["served"]  # a fixture
ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
RULES = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
PLAYED = yaml.safe_load((DEPLOY / "alerts_test.yaml").read_text())["tests"]
BY_AGE = "GatewayMessageWaits"
COUNTED = re.compile(r"(?:increase|rate)\((gateway_\w+)(?:\{([^}]*)\})?\[")
LABEL = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
SAMPLE = re.compile(r"^(gateway_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def promtool(*arguments: str) -> str:
    """What promtool says where it finds nothing wrong."""
    command = shutil.which("promtool")
    if command is None:
        pytest.skip("promtool, which Debian's package prometheus brings, is not here")
    done = subprocess.run(
        [command, *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", "alerts.yaml")


def test_each_trouble_fires_its_alert_and_beside_it_only_the_one_by_age() -> None:
    promtool("test", "rules", "alerts_test.yaml")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.get("alert", rule.get("record"))))
def test_a_rule_is_promql_over_metrics_that_are_there(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])
    shown = generate_latest(METRICS).decode()
    asked = set(re.findall(r"\bgateway[_:]\w+", rule["expr"])) - RECORDED
    assert asked or any(name in rule["expr"] for name in RECORDED)
    for name in asked:
        assert re.search(rf"^# HELP {name} ", shown, re.MULTILINE), name


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_and_leads_to_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "action", "runbook_url"}
    address, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert address == "https://gateway.example/docs/operations"
    headings = [slug(heading) for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)]
    assert headings.count(anchor) == 1
    told = PAGE.partition(f"### {name}\n\n")[2].partition("\n\n")[0]
    assert len(told) > 80


# what promtool is given to play


def rows() -> dict[str, set[str]]:
    """The troubles of the page, and the alerts that it says fire."""
    table = (
        PAGE.partition("## Trouble, case by case")[2]
        .partition("|---|---|---|---|---|\n")[2]
        .partition("\n\n")[0]
    )
    cells = [row.strip("| ").split(" | ") for row in table.splitlines()]
    assert all(len(row) == 5 for row in cells)
    return {row[0]: set() if row[4] == "none" else set(re.findall(r"`(\w+)`", row[4])) for row in cells}


def expected(played: dict[str, Any]) -> set[str]:
    """The alerts that fire in a trouble that is played, besides the one by age."""
    (check,) = played["promql_expr_test"]
    return {found for sample in check["exp_samples"] for found in re.findall(r'"(\w+)"', sample["labels"])}


def test_each_row_of_the_trouble_table_is_played() -> None:
    named = {played["name"]: expected(played) for played in PLAYED}
    assert len(named) == len(PLAYED)
    troubles = rows()
    assert len(troubles) > 20
    assert {name: named.get(name) for name in troubles} == troubles


def test_each_alert_is_played_and_nothing_else_may_fire_beside_it() -> None:
    assert set().union(*(expected(played) for played in PLAYED)) == set(ALERTS)
    exact = 'count by (alertname) (ALERTS{alertstate="firing"})'
    beside_age = f'count by (alertname) (ALERTS{{alertstate="firing", alertname!="{BY_AGE}"}})'
    for played in PLAYED:
        (check,) = played["promql_expr_test"]
        assert check["expr"] in (exact, beside_age)
        assert len(expected(played)) <= 1


def test_what_is_played_are_series_that_a_gateway_shows() -> None:
    labels = {
        name: set(metric._labelnames)
        for metric in METRICS._collector_to_names
        for name in METRICS._collector_to_names[metric]
        if hasattr(metric, "_labelnames")
    }
    labels |= {"gateway_process_open_fds": set(), "gateway_process_max_fds": set()}
    for played in PLAYED:
        for given in played["input_series"]:
            name, _, rest = given["series"].partition("{")
            assert {label for label, _, _ in LABEL.findall(rest)} - {"instance"} == labels[name], given


# counts from 0


def fits(shown: str, how: str, wanted: str) -> bool:
    """Whether a label's value is what a matcher wants."""
    if how == "=~":
        return re.fullmatch(wanted, shown) is not None
    return (shown == wanted) == (how == "=")


def matching(samples: list[tuple[str, dict[str, str], float]], name: str, matchers: str) -> list[float]:
    """The values of the samples that a selector of a rule finds."""
    wanted = LABEL.findall(matchers)
    return [
        value
        for one, labels, value in samples
        if one == name and all(fits(labels.get(label, ""), how, what) for label, how, what in wanted)
    ]


def one_by_one(matchers: str) -> list[str]:
    """The matchers for each value that an expression lists."""
    listed = re.search(r'=~"([^"]*)"', matchers)
    if listed is None:
        return [matchers]
    return [matchers.replace(listed[0], f'="{value}"') for value in listed[1].split("|")]


def test_what_a_rule_counts_is_there_as_0_before_it_happens(served: Served) -> None:
    text = httpx.get(f"{served.operations}/metrics", trust_env=False).text
    samples = [
        (name, {label: value for label, _, value in LABEL.findall(labels)}, float(value))
        for name, labels, value in SAMPLE.findall(text)
    ]
    counted = {found for rule in RULES for found in COUNTED.findall(rule["expr"])}
    assert len(counted) > 10
    for name, matchers in counted:
        for one in one_by_one(matchers):
            values = matching(samples, name, one)
            assert values and set(values) == {0.0}, f"{name}{{{one}}}"
