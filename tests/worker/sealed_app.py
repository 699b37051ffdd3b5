"""A Celery app with one task that opens what was sealed for it."""

import os
from typing import Any

from celery import Celery

from gateway.worker import unseal

app = Celery("sealed", broker=os.environ["GATEWAY_BROKER_URL"], backend=os.environ["GATEWAY_BROKER_URL"])


@app.task(name="vault.open")  # type: ignore[misc] # Celery's decorators have no types
def open_vault(token: Any, name: str) -> str:
    """Show that the token came through, and not what it is."""
    pins = unseal(token)["pins"]
    return f"{name}: {len(pins)} pins, the first one of {len(pins[0])} characters"
