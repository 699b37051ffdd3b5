"""The adapters that keep the ports: the only importers of Celery, Kombu and Redis."""
