"""The Celery app of the fault tests: each run is noted in a file of its own, which no crash of a broker can take back."""

import json
import os
import time

from celery import Celery, Task

from gateway.worker import install, is_revoked, progress
from gateway.worker.ledger import Answer, Ledger

app = Celery(
    "faults", broker=os.environ["FAULTS_BROKER"], backend=os.environ.get("FAULTS_RESULTS", os.environ["FAULTS_BROKER"])
)
app.conf.update(
    task_default_queue="faults",
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    result_backend_always_retry=True,
    redis_socket_timeout=5,
    task_track_started=not {"FAULTS_SILENT", "FAULTS_UNTRACKED"} & os.environ.keys(),
    task_ignore_result="FAULTS_SILENT" in os.environ,
    task_acks_late="FAULTS_LATE" in os.environ,
)
if "FAULTS_KIT" in os.environ:
    install(app, **json.loads(os.environ["FAULTS_KIT"]))
if "FAULTS_FORGETFUL" in os.environ:  # sabotage: every delivery is told that it may run
    Ledger.claim = lambda *_: Answer("yours")  # type: ignore[method-assign]
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


@app.task(name="faults.leave_no_trace", bind=True, ignore_result=True)
def leave_no_trace(self: Task) -> None:
    """Run, and tell nobody."""
    _write(f"start {self.request.id} 0")


@app.task(name="faults.stop_when_asked", bind=True)
def stop_when_asked(self: Task) -> str:
    """Run until somebody revokes it."""
    _write(f"start {self.request.id} 0")
    step = 0
    while not is_revoked():
        step += 1
        progress(step, 1000, f"step {step}")
        time.sleep(0.05)
    return "stopped"


@app.task(name="faults.retry", bind=True)
def retry(self: Task) -> int:
    """Fail twice, and succeed."""
    _write(f"start {self.request.id} {self.request.retries}")
    if self.request.retries < 2:
        raise self.retry(countdown=0.05)
    return int(self.request.retries)


def _write(line: str) -> None:
    descriptor = os.open(os.environ["FAULTS_RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line} {time.monotonic():.6f} {os.environ.get('FAULTS_WORKER', '0')}\n".encode())
    os.close(descriptor)
