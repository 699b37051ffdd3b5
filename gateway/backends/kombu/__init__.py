"""What only Celery and Kombu can do: talk to workers, and publish to brokers other than Redis.

Both block, so both run in threads of their own, with a deadline; no request waits longer than that.
"""
