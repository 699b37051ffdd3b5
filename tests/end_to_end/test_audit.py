"""The audit of a real gateway: who did what, from where, and what was refused."""

import json
from typing import Any

import httpx
import pytest

from gateway.web.auditing import Auditor
from gateway.web.operations import OPERATIONS
from tests.guarded import Guarded
from tests.harness import wait_for

API = "/api/celery"
BODY = {"task_type": "sii.sync_documents", "params": {"company_id": "audited-canary"}}


def connect(guarded: Guarded, role: str) -> httpx.Client:
    """Return a client with a role's key, behind a proxy that nobody trusts."""
    headers = {"X-API-Key": guarded.keys[role], "X-Forwarded-For": "203.0.113.7"}
    return httpx.Client(base_url=guarded.url, headers=headers, timeout=10)


def read(guarded: Guarded, marker: str) -> list[dict[str, Any]]:
    """Read the records of requests whose ids begin with a marker, the oldest first."""
    with connect(guarded, "admin") as admin:
        items = admin.get(f"{API}/audit?limit=200").json()["items"]
    return [each for each in items if each["request_id"].startswith(marker)][::-1]


def count_lines(guarded: Guarded, marker: str) -> int:
    """Count the records in the log that are of such requests."""
    whole = (guarded.file.parent / "gateway.log").read_text().rpartition("\n")[0]
    lines = [json.loads(each) for each in whole.splitlines()]
    return sum(each["event"] == "audit" and each["request_id"].startswith(marker) for each in lines)


def test_every_deed_and_every_refusal_is_on_record(guarded: Guarded) -> None:
    """With its caller, its address and its outcome, and with no value; in the log, too."""
    with connect(guarded, "operators") as operator, connect(guarded, "viewers") as viewer:
        marked = iter({"X-Request-ID": f"audit-{n:02}"} for n in range(99))
        key = {"Idempotency-Key": "audited"}
        task_id = operator.post(f"{API}/tasks/launch", json=BODY, headers=next(marked) | key).json()["task_id"]
        operator.post(f"{API}/tasks/launch", json=BODY, headers=next(marked) | key)
        operator.post(f"{API}/tasks/launch/sii.sync_documents", json={}, headers=next(marked))
        viewer.post(f"{API}/tasks/launch", json=BODY, headers=next(marked))
        viewer.request("DELETE", f"{API}/tasks/{task_id}", headers=next(marked))
        viewer.get(f"{API}/config", headers=next(marked))
        operator.post(f"{API}/config/reload", headers=next(marked))
        httpx.get(f"{guarded.url}{API}/tasks", headers=next(marked))
        operator.get(f"{API}/tasks/{task_id}", headers=next(marked))
        items = [{**BODY, "params": BODY["params"] | {"months": 2}}, {"task_type": "x", "params": {}}]
        operator.post(f"{API}/tasks/launch/batch", json={"items": items}, headers=next(marked))

    wait_for("the records", lambda: len(read(guarded, "audit-")) == 10)
    found = sorted(read(guarded, "audit-"), key=lambda each: each["request_id"])

    told = sorted((each["request_id"], each["action"], each["outcome"], each.get("caller")) for each in found)
    assert [
        ("audit-00", "launch", "accepted", "key:operators"),
        ("audit-01", "launch", "replayed", "key:operators"),
        ("audit-02", "launch", "refused_params", "key:operators"),
        ("audit-03", "launch", "forbidden", "key:viewers"),
        ("audit-04", "revoke", "forbidden", "key:viewers"),
        ("audit-05", "access", "forbidden", "key:viewers"),
        ("audit-06", "reload", "accepted", "key:operators"),
        ("audit-07", "access", "unauthorized", None),
        ("audit-09", "launch", "accepted", "key:operators"),
        ("audit-09", "launch", "unknown_task_type", "key:operators"),
    ] == told
    assert {"127.0.0.1"} == {each["origin"] for each in found}
    assert "canary" not in json.dumps(found)
    assert "accepted" == found[0]["outcome"]
    assert task_id == found[0]["task_id"] == next(e["task_id"] for e in found if e["action"] == "revoke")
    wait_for("the lines of all of them", lambda: count_lines(guarded, "audit-") == 10)


def test_the_audit_is_for_those_who_may_read_it(guarded: Guarded) -> None:
    """And can be searched, page by page."""
    query = f"{API}/audit?caller=key:viewers&outcome=forbidden&action=access"
    with connect(guarded, "viewers") as viewer, connect(guarded, "operators") as operator:
        for _ in range(3):
            viewer.get(f"{API}/config")
        wait_for("three records", lambda: len(operator.get(query).json()["items"]) >= 3)
        page = operator.get(f"{query}&limit=2").json()
        rest = operator.get(f"{query}&cursor={page['next_cursor']}").json()
        bad = operator.get(f"{API}/audit?cursor=x")

        assert 403 == viewer.get(f"{API}/audit").status_code
    assert (2, True, 422) == (len(page["items"]), len(rest["items"]) >= 1, bad.status_code)
    assert page["items"][-1] not in rest["items"]


@pytest.mark.parametrize(
    "each", [each for each in OPERATIONS if each.method != "get"], ids=lambda each: each.operation_id
)
def test_every_operation_that_changes_something_has_a_name_in_the_audit(each: Any) -> None:
    """So that its refusals are told as what they were."""
    auditor: Any = Auditor(None, prefix=API, trusted=(), clock=None)  # type: ignore[arg-type] # only its table is looked at

    assert (each.method.upper(), API + each.path) in auditor.actions
