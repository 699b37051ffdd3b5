"""The router that the gateway replaces, as such routers are commonly written: a new task means edits in four places."""

import os
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from celery import Celery
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

celery_app = Celery("router", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app = FastAPI()


class TaskType(StrEnum):
    """Edit one."""

    SYNC_DOCUMENTS = "sii.sync_documents"
    SYNC_F29 = "sii.sync_f29"


class SyncDocuments(BaseModel):
    """Edit two."""

    company_id: str = Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9._-]+$")
    months: int = Field(default=1, ge=1, le=24)


class LaunchRequest(BaseModel):
    """What a client sends."""

    task_type: TaskType
    params: dict[str, Any] = {}


class LaunchResponse(BaseModel):
    """What it gets."""

    task_id: str
    task_type: TaskType
    status: str
    message: str
    launched_at: datetime


def list_tasks() -> list[dict[str, Any]]:
    """Edit three."""
    return [{"task_type": TaskType.SYNC_DOCUMENTS, "parameters": SyncDocuments.model_json_schema()}]


@app.get("/tasks")
async def tasks() -> list[dict[str, Any]]:
    """Answer the catalog."""
    return list_tasks()


@app.post("/tasks/launch")
async def launch(request: LaunchRequest) -> LaunchResponse:
    """Edit four; the blocking call in an async handler is what is commonly found."""
    if request.task_type == TaskType.SYNC_DOCUMENTS:
        params = SyncDocuments(**request.params)
        result = celery_app.send_task("sii.sync_documents", kwargs=params.model_dump(), queue="sii")
    else:
        raise HTTPException(422, "unknown task type")
    return LaunchResponse(
        task_id=result.id,
        task_type=request.task_type,
        status="PENDING",
        message="launched",
        launched_at=datetime.now(UTC),
    )


@app.get("/tasks/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    """Answer what the result backend says; the blocking read in an async handler is what is commonly found."""
    result = celery_app.AsyncResult(task_id)
    return {
        "task_id": task_id,
        "status": result.status,
        "result": result.result if result.successful() else None,
        "error": str(result.result) if result.failed() else None,
    }
