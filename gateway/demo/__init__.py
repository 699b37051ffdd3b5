"""The demo: four SII tasks as any Celery app has them, and what starts them on one machine."""
