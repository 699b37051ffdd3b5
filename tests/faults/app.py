"""The Celery app of the fault tests: each run is noted in a file of its own, which no crash of a broker can take back."""

import os
import time

from celery import Celery, Task

app = Celery(
    "faults", broker=os.environ["FAULTS_BROKER"], backend=os.environ.get("FAULTS_RESULTS", os.environ["FAULTS_BROKER"])
)
app.conf.update(
    task_default_queue="faults",
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    result_backend_always_retry=True,
    redis_socket_timeout=5,
    task_track_started=True,
)
if "FAULTS_VISIBILITY_S" in os.environ:
    app.conf.broker_transport_options = {
        "visibility_timeout": float(os.environ["FAULTS_VISIBILITY_S"]),
        "unacked_restore_interval": 0.5,
        "unacked_restore_throttle": 1,
    }


@app.task(name="faults.note", bind=True)
def note(self: Task, number: int, seconds: float = 0.0, key: str = "") -> int:  # noqa: ARG001 - a key is for the gateway
    """Write down that this task ran."""
    _write(f"start {self.request.id} {number}")
    time.sleep(seconds)
    _write(f"end {self.request.id} {number}")
    return number


def _write(line: str) -> None:
    descriptor = os.open(os.environ["FAULTS_RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line} {time.monotonic():.6f}\n".encode())
    os.close(descriptor)
