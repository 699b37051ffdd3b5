"""One Celery worker, as it crosses the ports."""

from datetime import datetime
from typing import Any

from msgspec import Struct


class WorkerView(Struct, frozen=True, kw_only=True):
    """One Celery worker, by its own heartbeats and its answers."""

    online: bool = True
    """False from its heartbeat timeout on; for a while it is still told of."""
    active: tuple[dict[str, Any], ...] = ()
    """Running tasks: `task_id`, `name`, `started_at`, `pid`; never their arguments. As the two below, the first of them."""
    reserved: tuple[dict[str, Any], ...] = ()
    scheduled: tuple[dict[str, Any], ...] = ()
    active_count: int | None = None
    """How many there are of each; None where that is not known apart."""
    reserved_count: int | None = None
    scheduled_count: int | None = None
    processed_count: int | None = None
    """Tasks that it has taken since it began."""
    registered: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    is_described: bool = True
    """False until it has said what it registers and consumes."""
    concurrency: int | None = None
    stats: dict[str, Any] = {}
    """`pid`, `uptime_s`, `processed` per task name, `prefetch`, `pool`."""
    software: dict[str, str | None] = {}
    """`ident`, `version`, `system`."""
    clock: int | None = None
    """Celery's logical clock."""
    load: tuple[float, ...] = ()
    skew_s: float | None = None
    """How far its clock is ahead of the gateway's."""
    heard_at: datetime | None = None
    """When it was last heard of, by the gateway's clock."""
    lost_at: datetime | None = None
    """When a worker that is not online was last heard of."""
