"""The worker kit: what makes the delivery of a gateway's tasks exact, in two lines of an existing Celery app.

    from gateway.worker import install

    install(app)

It needs Celery and redis-py, and the ledger's Redis; nothing of the gateway is loaded beside it. No task has to be changed,
and tasks that no gateway launched are left alone.
"""

from gateway.worker.installing import install
from gateway.worker.speaking import is_revoked, progress
from gateway.worker.unsealing import UnsealError, unseal

__all__ = ["UnsealError", "install", "is_revoked", "progress", "unseal"]
