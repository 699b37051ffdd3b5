"""Ledger, publisher and results over redis.asyncio: no thread, no Celery call, one deadline everywhere."""
