"""Listening to the workers without asking them: heartbeats, task events, and the greeting of those that start."""
