"""What stands in `deploy/` speaks of what there is: every metric, every label."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
import yaml

from gateway.metrics.families import FAMILIES, Family

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
OUTER_LABELS = frozenset({"instance", "job"})
"""Those that Prometheus adds."""
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
SHOWN = {f"{family.name}{suffix}": family for family in FAMILIES for suffix in SUFFIXES.get(family.kind, ("",))}
NAME = re.compile(r"[a-zA-Z_]\w*")


def list_alerts() -> Iterator[pytest.param]:
    """List the expression of each alert."""
    for group in RULES:
        for rule in group["rules"]:
            yield pytest.param(rule["expr"], id=rule["alert"])


def list_panels() -> Iterator[pytest.param]:
    """List the expressions of each panel."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield pytest.param(target["expr"].replace("$__rate_interval", "5m"), id=panel["title"])


@pytest.mark.parametrize("expression", [*list_alerts(), *list_panels()])
def test_an_expression_names_what_there_is(expression: str) -> None:
    """It is PromQL, every metric is one of the gateway's, and every label one of that metric's."""
    parsed = promql_parser.parse(expression)
    families = [SHOWN[name] for name in find_metrics(parsed)]

    assert families
    assert set() == find_labels(expression) - OUTER_LABELS - {"le"} - {
        label for family in families for label in family.labels
    }


def find_metrics(parsed: promql_parser.Expr) -> list[str]:
    """Find the metrics that an expression asks for."""
    found: list[str] = []

    def note(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(str(node.name))
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(str(node.vector_selector.name))
        return True

    promql_parser.walk(parsed, note)
    return found


def find_labels(expression: str) -> set[str]:
    """Find the labels that an expression matches, or groups by."""
    groups = re.findall(r"\bby \(([^)]*)\)", expression)
    matched = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    return {*matched, *(name for group in groups for name in NAME.findall(group))}


def test_alerts_are_as_prometheus_wants_them() -> None:
    """Nothing but its own keys, durations it reads, names of which there is one, a severity, a sentence."""
    rules = [rule for group in RULES for rule in group["rules"]]

    assert [{"name", "rules"}] == [set(group) for group in RULES]
    assert len(rules) == len({rule["alert"] for rule in rules})
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert promql_parser.parse_duration(rule.get("for", "1m"))
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= find_labels(rule["expr"])


def test_every_metric_is_shown_somewhere() -> None:
    """On the dashboard, or in an alert: what nobody looks at need not be counted."""
    expressions = [param.values[0] for param in (*list_alerts(), *list_panels())]
    shown: list[Family] = [SHOWN[name] for each in expressions for name in find_metrics(promql_parser.parse(str(each)))]

    assert {family.name for family in FAMILIES} == {family.name for family in shown}


def test_panels_have_places_of_their_own() -> None:
    """None covers another, and each has an id."""
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in DASHBOARD["panels"]]

    assert all(x + w <= 24 for x, _, w, _ in places)
    assert len(places) == len({place[:2] for place in places}) == len({panel["id"] for panel in DASHBOARD["panels"]})


def test_every_metric_is_in_the_documentation() -> None:
    """In a row of its own, with its labels and what it says."""
    text = (DEPLOY.parent / "docs" / "operating.md").read_text()
    rows = {cells[1].strip(" `"): line for line in text.splitlines() if len(cells := line.split("|")) == 6}

    names = {f"{family.name}_total" if family.kind == "counter" else family.name: family for family in FAMILIES}
    assert [] == [name for name, family in names.items() if family.help not in rows.get(name, "")]
    assert [] == [
        name for name, family in names.items() if any(f"`{each}`" not in rows[name] for each in family.labels)
    ]
