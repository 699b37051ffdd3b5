"""From the name of an app to the app; the command line is proved in `tests/cli`."""

import sys
from pathlib import Path

import pytest
from celery import Celery

from gateway.backends.kombu.importing import import_app
from gateway.errors import SettingsError


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the search path as it was."""
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_an_app_is_imported_from_a_folder_with_its_tasks(tmp_path: Path) -> None:
    """Those of the modules that it includes too."""
    (tmp_path / "scaffold_whole.py").write_text(
        "from celery import Celery\nclass Holder:\n    queue = Celery('a', include=['scaffold_jobs'])\n"
    )
    (tmp_path / "scaffold_jobs.py").write_text(
        "from scaffold_whole import Holder\n@Holder.queue.task(shared=False)\ndef add(): pass\n"
    )

    app = import_app("scaffold_whole:Holder.queue", folder=str(tmp_path))

    assert app is import_app("scaffold_whole:Holder.queue", folder=str(tmp_path))
    assert isinstance(app, Celery)
    assert "scaffold_jobs.add" in app.tasks


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(
            "raise OSError('no')", "cannot import the module 'scaffold_{}': OSError: no", id="a module that raises"
        ),
        pytest.param(
            "", "no Celery app 'app' in the module 'scaffold_{}': say --app package.module:app", id="no app in it"
        ),
        pytest.param(
            "from celery import Celery\napp = Celery('a', include=['gone'])",
            "the tasks of 'scaffold_{}' cannot be imported: ModuleNotFoundError: No module named 'gone'",
            id="tasks that are gone",
        ),
    ],
)
def test_what_goes_wrong_is_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    """Whatever the module raises."""
    name = f"scaffold_{abs(hash(content))}"
    (tmp_path / f"{name}.py").write_text(content)

    with pytest.raises(SettingsError) as raised:
        import_app(name, folder=str(tmp_path))

    assert sentence.format(abs(hash(content))) == str(raised.value)


def test_a_module_that_is_not_there_is_said_not_to_be(tmp_path: Path) -> None:
    """By its whole name."""
    with pytest.raises(
        SettingsError, match=r"^cannot import the module 'gone\.inner': there is none of that name here$"
    ):
        import_app("gone.inner:app", folder=str(tmp_path))
