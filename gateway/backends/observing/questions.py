"""What the workers are asked, and when. Pure.

What comes in: who is alive, how long it has been silent, what the answers weighed. What goes out: the next question, one at
a time, so that neither the workers nor this process have much to do at once. Everybody is asked together.
"""

from typing import Any, Final

METHODS: Final = ("registered", "active_queues", "stats", "active", "reserved", "scheduled")
"""Celery's inspect methods; the first three say what a worker is, the others what it does."""
DESCRIBING: Final = METHODS[:3]
ARGUMENTS: Final[dict[str, dict[str, Any]]] = {"active": {"safe": True}}
"""`safe`: with the arguments as they were shown at the launch, secrets masked."""
PING: Final = "ping"
GAP_S: Final = 0.1
PULSE_S: Final = 2.5
"""After so much silence, which is longer than Celery's pause between two heartbeats, a ping tells whether anybody is there."""
WEIGHT_S: Final = 0.002
"""So much longer is the pause for each item of the largest answer: a worker may hold 100,000 scheduled tasks."""


class Questions:
    """Chooses questions; moments are of the monotonic clock."""

    def __init__(self, *, refresh_s: float) -> None:
        """`refresh_s` is the pause between two rounds of questions."""
        self._refresh_s = refresh_s
        self._due = dict.fromkeys(METHODS, 0.0)
        self._pauses = dict.fromkeys(METHODS, refresh_s)
        self._asked_at = -PULSE_S

    def begin(self) -> None:
        """Begin anew, with a ping: whoever is there answers at once."""
        self._asked_at = -PULSE_S

    def hurry(self, now: float) -> None:
        """Ask everything again, as somebody is new."""
        for method, due in self._due.items():
            self._due[method] = min(due, now)

    def weigh(self, method: str, items: int) -> None:
        """Note how many items an answer had."""
        if method in self._pauses:
            self._pauses[method] = max(self._pauses[method], items * WEIGHT_S)

    def choose(self, now: float, *, is_anybody_alive: bool, silent_s: float) -> str | None:
        """Choose the question of this moment, if there is one: it counts as asked."""
        if now - self._asked_at < GAP_S:
            return None
        method = min(METHODS, key=self._due.__getitem__)
        if is_anybody_alive and self._due[method] <= now:
            self._due[method] = now + self._pauses[method]
            self._pauses[method] = self._refresh_s
        elif min(silent_s, now - self._asked_at) >= PULSE_S:
            method = PING
        else:
            return None
        self._asked_at = now
        return method
