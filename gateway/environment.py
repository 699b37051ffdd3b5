"""The settings of a process that serves: the environment, and beneath it what an existing Celery app says; whether they are safe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.backends.kombu.existing import ExistingApp
from gateway.backends.kombu.importing import import_app
from gateway.backends.redis.connection import connect
from gateway.backends.redis.safety import find_dangers
from gateway.errors import UnsafeError
from gateway.settings import Settings, is_redis, load, mask_url


def load_settings(environment: Mapping[str, str], **overrides: Any) -> tuple[Settings, ExistingApp | None]:
    """Read the settings, and the app that they name, if they do.

    Raises: SettingsError.
    """
    settings = load(environment, **overrides)
    if not settings.celery_app:
        return settings, None
    existing = ExistingApp(import_app(settings.celery_app, folder=str(Path.cwd())))
    return load(environment, beneath=existing.list_settings(), **overrides), existing


async def refuse_unsafe(settings: Settings) -> None:
    """Look at every Redis that keeps launches, before anything is served.

    Raises: UnsafeError naming all that is dangerous; LedgerUnavailableError when one does not answer.
    """
    dangers: list[str] = []
    for url in dict.fromkeys(url for url in (settings.broker_url, settings.redis_url) if is_redis(url)):
        client = connect(url, deadline_s=settings.deadline_s, sentinel_master=settings.sentinel_master)
        try:
            found = await find_dangers(client, deadline_s=settings.deadline_s)
        finally:
            await client.aclose()
        dangers += (f"{mask_url(url)}: {danger}" for danger in found)
    if dangers:
        raise UnsafeError(f"GATEWAY_STRICT refuses this Redis: {'; '.join(dangers)}")
