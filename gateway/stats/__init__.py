"""The state of workers and queues, told from the last look at them."""
