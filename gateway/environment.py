"""The settings of a process that serves: the environment, and beneath it what an existing Celery app says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.backends.kombu.existing import ExistingApp
from gateway.backends.kombu.importing import import_app
from gateway.settings import Settings, load


def load_settings(environment: Mapping[str, str], **overrides: Any) -> tuple[Settings, ExistingApp | None]:
    """Read the settings, and the app that they name, if they do.

    Raises: SettingsError.
    """
    settings = load(environment, **overrides)
    if not settings.celery_app:
        return settings, None
    existing = ExistingApp(import_app(settings.celery_app, folder=str(Path.cwd())))
    return load(environment, beneath=existing.list_settings(), **overrides), existing
