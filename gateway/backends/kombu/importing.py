"""Importing a Celery app by its name: foreign code, run once at start.

What comes in: `package.module:app`. What goes out: the app, its tasks registered. It runs the code of that module.
"""

import importlib
import sys
from typing import Any

from celery import Celery

from gateway.errors import SettingsError

_USUAL = "app"


def import_app(reference: str, *, folder: str) -> Any:
    """Import an app; modules are looked for in `folder` first, as Celery does.

    Raises: SettingsError when there is no such module, it cannot be imported, or there is no Celery app in it.
    """
    module_name, _, attribute = reference.partition(":")
    attribute = attribute or _USUAL
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found = _import_module(module_name)
    for step in attribute.split("."):
        found = getattr(found, step, None)
    if not isinstance(found, Celery):
        raise SettingsError(f"no Celery app {attribute!r} in the module {module_name!r}: say --app package.module:app")
    try:
        found.loader.import_default_modules()
        found.finalize()
    except Exception as error:
        raise SettingsError(f"the tasks of {reference!r} cannot be imported: {_describe(error)}") from error
    return found


def _import_module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a module is foreign code: it may raise anything
        is_missing = isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.")
        words = "there is none of that name here" if is_missing else _describe(error)
        raise SettingsError(f"cannot import the module {name!r}: {words}") from error


def _describe(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
