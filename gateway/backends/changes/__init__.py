"""Changes of tasks, pushed to whoever waits for one: one subscription per Redis, or one shared poll, for all of a process."""
