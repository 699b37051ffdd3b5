"""`gateway scaffold` as a user meets it: from an app to a gateway that launches its tasks."""

import inspect
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gateway.catalog.deployment import Deployment
from gateway.demo.app import app as demo
from gateway.loading import load_catalog
from tests.harness import ROOT, clean_environment, finish, run_gateway

DEMO = "gateway.demo.app:app"
PARAMS = {
    "sii.sync_documents": {"company_id": "a"},
    "sii.sync_documents_all": {"months": 1},
    "sii.sync_f29": {"company_id": "a", "year": 2025},
    "sii.sync_f29_all": {"year": 2025},
}


def scaffold(*options: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `gateway scaffold` in a folder."""
    argv = [sys.executable, "-P", "-c", "from gateway.__main__ import main; main()", "scaffold", *options]
    return subprocess.run(
        argv, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False
    )


def test_the_demos_file_loads_and_names_its_parameters(tmp_path: Path) -> None:
    """As the functions do, bound ones without the task."""
    config = tmp_path / "tasks.yaml"

    ended = scaffold("--app", DEMO, "-o", str(config))

    expected = f"Wrote {config}. Look at the comments in it, then run gateway check {config}\n"
    assert (0, "", expected) == (ended.returncode, ended.stderr, ended.stdout)
    catalog = load_catalog(config, Deployment())
    assert {key: list(inspect.signature(demo.tasks[key].run).parameters) for key in PARAMS} == {
        key: list(each.params.json_schema["properties"]) for key, each in catalog.task_types.items()
    }
    assert {"sii"} == {each.queue for each in catalog.task_types.values()}


@pytest.mark.usefixtures("worker")
def test_every_task_of_the_demo_runs_through_the_scaffolded_file(tmp_path: Path, valkey_url: str, logs: Path) -> None:
    """With a real gateway and a real worker."""
    config = tmp_path / "tasks.yaml"
    scaffold("--app", DEMO, "--output", str(config))

    with (
        run_gateway(logs / "scaffolded.log", config=config, broker_url=valkey_url) as url,
        httpx.Client(base_url=url, timeout=10) as client,
    ):
        launched = {key: client.post(f"/api/celery/tasks/launch/{key}", json=params) for key, params in PARAMS.items()}
        ended = {key: finish(client, answer.json()["task_id"])["status"] for key, answer in launched.items()}

    assert dict.fromkeys(PARAMS, "SUCCESS") == ended


def test_an_app_of_the_current_folder_is_found(tmp_path: Path) -> None:
    """With the tasks of the modules that it includes, and `app` as its usual name."""
    (tmp_path / "proj.py").write_text("from celery import Celery\napp = Celery('proj', include=['jobs'])\n")
    (tmp_path / "jobs.py").write_text(
        "from __future__ import annotations\nfrom proj import app\n\n@app.task\ndef add(left: int, right: int = 2):\n"
        '    """Add: `#` and "quotes"."""\n'
    )

    ended = scaffold("--app", "proj", folder=tmp_path)

    assert "" == ended.stderr
    assert """\
version: 1

tasks:
  jobs.add:
    description: "Add: `#` and \\"quotes\\"."
    parameters:
      left: {type: integer}
      right: {type: integer, default: 2}
""" == ended.stdout.partition("holds.\n")[2]


@pytest.mark.parametrize(
    ("files", "reference", "sentence"),
    [
        pytest.param({}, "gone:app", "cannot import the module 'gone': there is none of that name here", id="no module"),
        pytest.param({}, "gone.inner:app", "cannot import the module 'gone.inner': there is none of that name here", id="no package"),
        pytest.param({}, ":app", "cannot import the module '': ValueError: Empty module name", id="no name"),
        pytest.param(
            {"m.py": "import gone"}, "m:app",
            "cannot import the module 'm': ModuleNotFoundError: No module named 'gone'", id="a module that imports another",
        ),
        pytest.param({"m.py": "raise SystemExit('no')"}, "m:app", "cannot import the module 'm': SystemExit: no", id="exit"),
        pytest.param(
            {"m.py": "app = 1"}, "m:app", "no Celery app 'app' in the module 'm': say --app package.module:app", id="no app"
        ),
        pytest.param(
            {"m.py": ""}, "m:a.b", "no Celery app 'a.b' in the module 'm': say --app package.module:app", id="no attribute"
        ),
        pytest.param(
            {"m.py": "from celery import Celery\napp = Celery('m', include=['gone'])"}, "m:app",
            "the tasks of 'm:app' cannot be imported: ModuleNotFoundError: No module named 'gone'", id="no tasks",
        ),
    ],
)  # fmt: skip
def test_an_app_that_cannot_be_imported_is_one_sentence(
    tmp_path: Path, files: dict[str, str], reference: str, sentence: str
) -> None:
    """And exit code 2."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)

    ended = scaffold("--app", reference, folder=tmp_path)

    assert (2, "", f"gateway: {sentence}\n") == (ended.returncode, ended.stdout, ended.stderr)


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    """Unless the caller insists."""
    config = tmp_path / "tasks.yaml"
    config.write_text("mine\n")

    refused = scaffold("--app", DEMO, "-o", str(config))
    kept = config.read_text()
    forced = scaffold("--app", DEMO, "-o", str(config), "--force")

    expected = f"gateway: {config} exists already: choose another file, or say --force\n"
    assert (2, expected, "mine\n") == (refused.returncode, refused.stderr, kept)
    assert (0, "# Written by") == (forced.returncode, config.read_text()[:12])


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """And exit code 2."""
    config = tmp_path / "gone" / "tasks.yaml"

    ended = scaffold("--app", DEMO, "-o", str(config))

    assert (2, f"gateway: cannot write {config}: No such file or directory\n") == (ended.returncode, ended.stderr)
