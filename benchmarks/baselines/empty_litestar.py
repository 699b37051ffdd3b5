"""A floor: a typed Litestar POST that does nothing."""

from typing import Any

from litestar import Litestar, post
from msgspec import Struct


class Body(Struct):
    """A launch."""

    task_type: str
    params: dict[str, Any]


@post("/launch", status_code=200)
async def launch(data: Body) -> dict[str, str]:
    """Answer."""
    return {"task_type": data.task_type}


app = Litestar([launch], openapi_config=None)
