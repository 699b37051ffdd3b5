"""A Celery app as the gateway meets them: it knows nothing of the gateway, which knows only its task names.

What comes in: launches on the queues `celery` and `sii`. What goes out: progress, then a JSON summary.
It must never import the gateway. The tasks only pretend to talk to the tax office (SII).
"""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from celery import Celery, Task

DEFAULT_URL = "redis://127.0.0.1:6379/0"
FAILING_COMPANY = "fail"
"""The company whose tasks always end in FAILURE, so that one can be seen."""
COMPANIES = ("76123456-7", "77234567-8", "78345678-9")


class SiiError(Exception):
    """Raised when the tax office would have refused a company."""


def _build_app(environment: Mapping[str, str]) -> Celery:
    broker = environment.get("GATEWAY_BROKER_URL") or DEFAULT_URL
    redis = (broker, environment.get("GATEWAY_REDIS_URL", ""), DEFAULT_URL)
    shared = next(url for url in redis if url.startswith("redis"))
    app = Celery("demo", broker=broker, backend=environment.get("GATEWAY_RESULT_URL") or shared)
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        result_extended=True,
        result_serializer="json",
        task_queues={name: {"exchange": name, "routing_key": name} for name in ("celery", "sii")},
        task_routes={"sii.*": {"queue": "sii", "routing_key": "sii"}},
        task_serializer="json",
        task_track_started=True,
    )
    return app


app = _build_app(os.environ)


@app.task(bind=True, name="sii.sync_documents")  # type: ignore[untyped-decorator] # Celery ships no types
def sync_documents(task: Task, company_id: str, months: int = 1) -> dict[str, Any]:
    """Fetch one company's tax documents, month by month."""
    _work(task, [f"month {month} of {company_id}" for month in range(1, months + 1)])
    _refuse(company_id)
    return {"company_id": company_id, "months": months, "documents": 37 * months}


@app.task(bind=True, name="sii.sync_documents_all")  # type: ignore[untyped-decorator] # Celery ships no types
def sync_documents_all(task: Task, months: int = 1) -> dict[str, Any]:
    """Fetch the tax documents of every company."""
    _work(task, [f"documents of {company}" for company in COMPANIES])
    return {"companies": len(COMPANIES), "months": months, "documents": 37 * months * len(COMPANIES)}


@app.task(bind=True, name="sii.sync_f29")  # type: ignore[untyped-decorator] # Celery ships no types
def sync_f29(task: Task, company_id: str, year: int) -> dict[str, Any]:
    """Fetch one company's monthly VAT returns (form 29) of a year."""
    _work(task, [f"form 29 of {year}-{month:02}, {company_id}" for month in range(1, 13)])
    _refuse(company_id)
    return {"company_id": company_id, "year": year, "forms": 12}


@app.task(bind=True, name="sii.sync_f29_all")  # type: ignore[untyped-decorator] # Celery ships no types
def sync_f29_all(task: Task, year: int) -> dict[str, Any]:
    """Fetch every company's monthly VAT returns (form 29) of a year."""
    _work(task, [f"forms 29 of {year}, {company}" for company in COMPANIES])
    return {"companies": len(COMPANIES), "year": year, "forms": 12 * len(COMPANIES)}


def _work(task: Task, steps: Sequence[str]) -> None:
    """Spend about DEMO_TASK_SECONDS in all, and say where the task stands before each step."""
    pause_s = float(os.environ.get("DEMO_TASK_SECONDS", "1")) / len(steps)
    for current, message in enumerate(steps):
        task.update_state(state="PROGRESS", meta={"current": current, "total": len(steps), "message": message})
        time.sleep(pause_s)


def _refuse(company_id: str) -> None:
    if company_id == FAILING_COMPANY:
        raise SiiError(f"the tax office refused the session of company {company_id!r}")
