"""A Celery app whose one task is called as the environment says, and takes its time."""

import os
import time

from celery import Celery

app = Celery("named", broker=os.environ["NAMED_BROKER"], backend=os.environ.get("NAMED_RESULTS"))
app.conf.update(task_default_queue=os.environ["NAMED_QUEUE"], broker_connection_retry_on_startup=True)


@app.task(name=os.environ.get("NAMED_TASK", "work"))
def work(seconds: float = 0.0) -> float:
    """Sleep."""
    time.sleep(seconds)
    return seconds
