"""Launches written straight into a ledger, by pipelines: what a million of them leave behind."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import msgspec
from msgspec import Struct
from redis import Redis

from gateway.launch.launch import Launch, Lineage, record
from gateway.launch.task_id import mint
from gateway.ports import End, TaskError

KEEP_S = 604_800
AT_ONCE = 2000
TYPES = 100
"""Task types that share the launches; `type.0` alone has every hundredth."""
BATCH = 1000
RETRIES = 1000
"""Of the newest tasks so many are retries of the oldest one."""


class Row(Struct, frozen=True):
    """One launch, and how it ended if it has."""

    launch: Launch
    end: End | None


def make_rows(
    count: int, *, choose_status: Callable[[int], str | None], over: timedelta = timedelta(days=6)
) -> Iterator[Row]:
    """Make launches, the oldest first, spread over the past; `choose_status` says how each ended, None for open ones."""
    began = datetime.now(UTC) - over
    first_id = ""
    batch_id = None
    for number in range(count):
        moment = began + over * number / count
        task_id = mint(now_ms=int(moment.timestamp() * 1000), entropy=number.to_bytes(7), identity=b"rows")
        first_id = first_id or task_id
        batch_id = task_id if number % BATCH == 0 else batch_id
        is_retry = number >= count - RETRIES
        launch = Launch(
            task_id=task_id,
            task_type=f"type.{number % TYPES}",
            name=f"type.{number % TYPES}",
            params={"company_id": "76123456-7", "months": 3},
            queue="rows",
            keep_s=KEEP_S,
            launched_at=moment,
            digest="c0ffee",
            generation=1,
            batch_id=batch_id,
            lineage=Lineage(retry_of=first_id, root_id=first_id, attempt=2) if is_retry else None,
        )
        yield Row(launch, _make_end(choose_status(number), moment))


def write_rows(client: Redis, prefix: str, rows: Iterator[Row]) -> list[str]:
    """Write launches with all their keys, as `launch.lua` and `settle.lua` would; return their ids."""
    ids: list[str] = []
    while some := list(islice(rows, AT_ONCE)):
        pipeline = client.pipeline(transaction=False)
        for row in some:
            _write_row(pipeline, prefix, row)
            ids.append(row.launch.task_id)
        pipeline.execute()
    return ids


def _write_row(pipeline: Redis, prefix: str, row: Row) -> None:
    launch, end, task_id = row.launch, row.end, row.launch.task_id
    at = f"{int(launch.launched_at.timestamp() * 1000)}-*"
    pipeline.set(f"{prefix}task:{task_id}", msgspec.json.encode(record(launch)), ex=KEEP_S)
    for index in ("history", f"history:type:{launch.task_type}", f"history:batch:{launch.batch_id}"):
        pipeline.execute_command("XADD", f"{prefix}{index}", at, "t", task_id)
    if launch.lineage is not None:
        pipeline.append(f"{prefix}chain:{launch.lineage.root_id}", task_id)
    if end is None:
        pipeline.zadd(f"{prefix}open", {task_id: 0})
        return
    pipeline.set(f"{prefix}end:{task_id}", msgspec.json.encode(end), ex=KEEP_S)
    if end.status != "SUCCESS":
        pipeline.zadd(f"{prefix}ended:{end.status}", {task_id: 0})


def _make_end(status: str | None, moment: datetime) -> End | None:
    if status is None:
        return None
    return End(
        status=status,
        started_at=moment + timedelta(seconds=1),
        finished_at=moment + timedelta(seconds=3),
        worker="celery@worker-1.example",
        error=None if status == "SUCCESS" else TaskError(type="ValueError", message="the office refused the session"),
    )
