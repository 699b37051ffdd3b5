"""A task type that one may not see, with a real gateway: its name is in no answer, and it is told from nothing that never was."""

from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from tests.guarded import Guarded, run_guarded
from tests.harness import ROOT

API = "/api/celery"
HIDDEN = "hidden.vault_opener"
NOTHING = "absent.other_things"
SHOWN = "sii.sync_f29_all"
TASK = f"""
  {HIDDEN}:
    queue: nobody
    parameters: {{year: {{type: integer}}}}
    access: {{see: [], launch: [], read: [], read_result: [], revoke: [], retry: []}}
"""
TELLS = frozenset({f"{API}/stats", f"{API}/drift", f"{API}/audit", "/metrics"})
"""Those with these powers read the names of all task types."""
ROLES = ("operators", "viewers", "strangers")


class Place(NamedTuple):
    """A gateway, and a task of the hidden type."""

    guarded: Guarded
    admin: httpx.Client
    task_id: str
    operations: list[tuple[str, str]]

    def connect(self, role: str) -> httpx.Client:
        """Return a client with the key of a role."""
        return httpx.Client(base_url=self.guarded.url, headers={"X-API-Key": self.guarded.keys[role]}, timeout=10)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, lone_valkey_url: str) -> Iterator[Place]:
    """One for all tests."""
    folder = tmp_path_factory.mktemp("hidden")
    (folder / "tasks.yaml").write_text((ROOT / "tasks.yaml").read_text() + TASK)
    with (
        run_guarded(folder, config=folder / "tasks.yaml", broker_url=f"{lone_valkey_url[:-1]}5") as guarded,
        httpx.Client(base_url=guarded.url, headers={"X-API-Key": guarded.keys["admin"]}, timeout=10) as admin,
    ):
        task_id = str(admin.post(f"{API}/tasks/launch/{HIDDEN}", json={"year": 2020}).json()["task_id"])
        paths = admin.get("/openapi.json").json()["paths"]
        yield Place(guarded, admin, task_id, [(method, path) for path, each in paths.items() for method in each])


@pytest.mark.parametrize("role", ROLES)
def test_its_name_is_in_no_answer(place: Place, role: str) -> None:
    """Of any route, however it is asked for; nor in a near miss."""
    near = HIDDEN[:-1]
    told: dict[str, str] = {}
    with place.connect(role) as http:

        def ask(method: str, path: str, **sent: object) -> None:
            answer = http.request(method, path, **sent)  # type: ignore[arg-type]
            told[f"{method} {path} {sent}"] = f"{answer.headers}{answer.text}"

        for method, path in place.operations:
            if path not in TELLS and not path.endswith("/events") and HIDDEN not in path:
                filled = path.replace("{task_id}", place.task_id).replace("{task_type}", near)
                ask(method, filled, **({} if method == "get" else {"json": {}}))
        ask("post", f"{API}/tasks/launch/{near}", json={})
        ask("post", f"{API}/tasks/launch", json={"task_type": near})
        ask("post", f"{API}/tasks/launch/batch", json={"items": [{"task_type": near}]})
        ask("post", f"{API}/tasks/revoke?dry_run=true", json={"status": "PENDING"})
        ask("get", f"{API}/tasks/history?status=PENDING")
        ask("get", f"{API}/tasks/{place.task_id}/events")

    assert len(told) > 25
    assert [] == [request for request, text in told.items() if HIDDEN in text]


@pytest.mark.parametrize("role", ROLES)
def test_it_is_told_from_nothing_that_never_was(place: Place, role: str) -> None:
    """Every answer to its name is the one to a name that nothing has."""
    with place.connect(role) as http:
        answers = [
            [
                http.get(f"{API}/tasks/types/{name}"),
                http.get(f"{API}/tasks/history?task_type={name}"),
                http.post(f"{API}/tasks/launch/{name}", json={"year": 2020}),
                http.post(f"{API}/tasks/launch", json={"task_type": name, "params": {"year": 2020}}),
                http.post(f"{API}/tasks/retry", json={"task_type": name}),
                http.post(f"{API}/tasks/revoke", json={"task_type": name}),
            ]
            for name in (HIDDEN, NOTHING)
        ]

    hidden, nothing = (
        [(each.status_code, each.text.replace(name, "")) for each in got]
        for got, name in zip(answers, (HIDDEN, NOTHING), strict=True)
    )
    assert nothing == hidden


def test_the_feed_tells_of_others_only(place: Place) -> None:
    """Though tasks of the hidden type come to statuses all the time."""
    with place.connect("viewers") as http, http.stream("GET", f"{API}/tasks/events") as answer:
        lines = answer.iter_lines()
        next(line for line in lines if line == ": heartbeat")
        for task_type in (HIDDEN, SHOWN):
            task_id = place.admin.post(f"{API}/tasks/launch/{task_type}", json={"year": 2021}).json()["task_id"]
            place.admin.delete(f"{API}/tasks/{task_id}")
        told = ""
        while "REVOKED" not in told:
            told += next(lines)

    assert SHOWN in told
    assert HIDDEN not in told
