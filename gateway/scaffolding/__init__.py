"""An existing Celery app in, a `tasks.yaml` out."""
