"""The meter: counts what happens in one process, in well under a microsecond each.

What comes in: words of what happened, from the event loop only. What goes out: numbers in cells. prometheus-client's own
counters take a lock each time, and cost as much as a tenth of a whole launch; here it is a look-up and an addition.
"""

from bisect import bisect_left
from time import monotonic
from typing import Final

from gateway.metrics import families
from gateway.metrics.cells import Cells
from gateway.metrics.families import Family

BACKENDS = ("broker_", "ledger_", "results_", "backend_")
"""How the codes of what the gateway stands on begin."""
_FROM_THE_FIRST = frozenset({"counter", "histogram"})
"""What is not there is no zero to whoever asks how much it grew."""
_SECONDS: Final = families.SECONDS
_SUM_AT: Final = len(_SECONDS) + 1


class Meter:
    """Counts."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self._values = cells.values
        self._answers: dict[tuple[str, str, int], int] = {}
        self._launches: dict[str, int] = {}
        self._said: dict[Family, float] = {}
        for family in families.FAMILIES:
            if not family.labels and family.kind in _FROM_THE_FIRST:
                self._open(family)

    def note_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        key = (method, route, status // 100)
        at = self._answers.get(key)
        if at is None:
            labels = (method, route, f"{status // 100}xx")
            at = self._answers[key] = self._open(families.ANSWERS, *labels)
        values = self._values
        values[at + bisect_left(_SECONDS, seconds)] += 1.0
        values[at + _SUM_AT] += seconds

    def note_refusal(self, code: str) -> None:
        """Count a refusal; one by what the gateway stands on twice."""
        self._values[self._open(families.REFUSALS, code)] += 1.0
        self.note_failure(code)

    def note_failure(self, code: str) -> None:
        """Count a failure of what the gateway stands on, if the code says that it is one."""
        if code.startswith(BACKENDS):
            self._values[self._open(families.BACKEND_ERRORS, code)] += 1.0

    def note_launch(self, task_type: str) -> None:
        """Count a launch that was accepted."""
        at = self._launches.get(task_type)
        if at is None:
            at = self._launches[task_type] = self._open(families.LAUNCHES, task_type)
        self._values[at] += 1.0

    def note_end(self, task_type: str, outcome: str, *, queued_s: float | None, run_s: float | None) -> None:
        """Count an end that was just written down."""
        self._values[self._open(families.FINISHED, task_type, outcome)] += 1.0
        if queued_s is not None:
            self._observe(families.QUEUE_WAIT, queued_s, task_type)
        if run_s is not None:
            self._observe(families.RUN_TIME, run_s, task_type)

    def note_uncertain(self) -> None:
        """Count a message of which nobody knows whether the broker has it."""
        self._values[self._open(families.UNCERTAIN)] += 1.0

    def note_resent(self) -> None:
        """Count a message that left the outbox late."""
        self._values[self._open(families.RESENT)] += 1.0

    def note_redelivery(self) -> None:
        """Count a message that was sent again for one that was lost with a worker."""
        self._values[self._open(families.REDELIVERIES)] += 1.0

    def note_given_up(self) -> None:
        """Count a lost task that was ended."""
        self._values[self._open(families.GIVEN_UP)] += 1.0

    def note_lag(self, seconds: float) -> None:
        """Count how late the loop woke."""
        self._observe(families.LAG, seconds)

    def live(self) -> None:
        """Say that this process lives."""
        self._values[self.cells.open((families.HEARTBEAT, ()), width=1)] = monotonic()

    def show(self, gauge: Family, value: float) -> None:
        """Say what a gauge of this process is."""
        self._values[self._open(gauge)] = value

    def follow(self, counter: Family, value: float) -> None:
        """Count as much as somebody else has counted since this was called last."""
        self._values[self._open(counter)] += value - self._said.get(counter, 0.0)
        self._said[counter] = value

    def _observe(self, family: Family, value: float, *labels: str) -> None:
        at = self._open(family, *labels)
        self._values[at + bisect_left(family.bounds, value)] += 1.0
        self._values[at + len(family.bounds) + 1] += value

    def _open(self, family: Family, *labels: str) -> int:
        return self.cells.open((family.name, labels), width=family.width)
