"""The task gateway: one declarative file in, a REST API over existing Celery workers out."""

__version__ = "0.1.0"
