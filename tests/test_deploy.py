"""What stands in `deploy/` speaks of what there is: every metric, every label."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
import yaml

from gateway.metrics.families import FAMILIES, Family

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
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


def test_every_service_of_ours_runs_with_nothing_to_spare() -> None:
    """On a read-only root, without capabilities and ways to get any, and none as root or with the engine's socket."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    ours = {name: each for name, each in services.items() if each["image"] == "task-gateway"}

    assert {"gateway", "keys", "worker"} == ours.keys()
    for each in ours.values():
        assert (True, ["ALL"], ["no-new-privileges:true"]) == (
            each["read_only"],
            each["cap_drop"],
            each["security_opt"],
        )
        assert set() == {"cap_add", "devices", "network_mode", "pid", "privileged", "user"} & each.keys()
        assert not any("docker.sock" in volume for volume in each.get("volumes", ()))


def test_the_gateway_of_the_compose_file_wants_keys() -> None:
    """Its first key is there before it starts; its port is this machine's, and it can write neither keys nor tasks."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    gateway, keys = services["gateway"], services["keys"]

    assert ["gateway"] == [name for name, each in services.items() if "ports" in each]
    assert ["127.0.0.1:8000:8000"] == gateway["ports"]
    assert keys["command"][-1] == gateway["environment"]["GATEWAY_API_KEYS_FILE"]
    assert "service_completed_successfully" == gateway["depends_on"]["keys"]["condition"]
    assert all(volume.endswith(":ro") for volume in gateway["volumes"])
    assert not [name for each in services.values() for name in each.get("environment", ()) if "INSECURE" in name]


def test_the_image_runs_as_nobody_of_note() -> None:
    """A number above those of a machine's users, which owns nothing but the folder for keys; it starts with no key and no way around one."""
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    said = [line for line in stages[-1].splitlines() if not line.startswith("#")]
    users = [line.split()[1] for line in said if line.startswith("USER ")]

    assert ["10001:10001"] == users
    assert said.index("USER 10001:10001") < next(i for i, line in enumerate(said) if line.startswith("ENTRYPOINT"))
    assert ["RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/gateway"] == [
        each for each in said if "-o 10001" in each
    ]
    assert not [line for line in said if line.startswith("ADD ") or "--chown" in line or "INSECURE" in line]
    assert not re.search(r"(KEY|TOKEN|PASSWORD|SECRET)\w*=", "\n".join(stages))
