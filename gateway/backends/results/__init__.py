"""Result backends that only block: Celery's key-value family and SQL, read in threads; and none at all."""
