"""The Celery app that Flower looks at and sends tasks through."""

import os

from celery import Celery

app = Celery("flower", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.task_default_queue = "sii"
