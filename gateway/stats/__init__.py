"""The state of workers and queues, and what it means for the catalog."""
