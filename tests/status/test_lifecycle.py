"""A status never goes backwards, in whatever order, and however often, the news of a task arrives."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.launch.launch import LedgerEntry
from gateway.ports import End, Remembered, Run
from gateway.status.interpreting import Witness, conclude, interpret, is_final
from gateway.status.lifecycle import FINAL
from gateway.status.record import ResultRecord

THEN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ENTRY = LedgerEntry(
    task_id="id", task_type="a.b", name="a.b", params={}, queue="q", launched_at=THEN, keep_s=60, digest="d",
    generation=1,
)  # fmt: skip
NEWS = st.one_of(
    st.sampled_from(["received", "started"]).map(lambda kind: ("event", kind)),
    st.sampled_from(["STARTED", "PROGRESS", "RETRY", "SUCCESS", "FAILURE", "REVOKED", "parsing"]).map(
        lambda status: ("record", status)
    ),
    st.just(("record", None)),
)


def rank(status: str) -> int:
    """Rank a status by how far the task has come."""
    return {"PENDING": 0, "RECEIVED": 1}.get(status, 3 if status in FINAL else 2)


class Known:
    """What gateways hold of one task while news comes in; every reader writes an end down, as the flows do."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.end: End | None = None
        self.record: ResultRecord | None = None

    def hear(self, kind: str, word: Any, at: datetime) -> None:
        """Take one piece of news."""
        if kind == "record":
            # A record that has expired is no news of its own for a task that has only begun.
            self.record = ResultRecord(status=word) if word else self.record if self.end is None else None
            return
        before = self.run or Run()
        self.run = Run(
            received_at=at if word == "received" else before.received_at,
            started_at=at if word == "started" else before.started_at,
        )

    def read(self) -> str:
        """Read the status."""
        remembered = Remembered(entry=ENTRY, run=self.run, end=self.end)
        status = interpret(remembered, self.record, Witness(now=THEN))
        if self.end is None and is_final(status):
            self.end = conclude(status)
        return status.status


@given(st.lists(NEWS, max_size=12))
def test_news_in_any_order_never_turns_a_status_back(news: list[tuple[str, Any]]) -> None:
    """Shuffled, repeated and late: the rank only grows, and what was final stays to the letter."""
    known = Known()
    seen = [known.read()]
    for number, (kind, word) in enumerate(news):
        known.hear(kind, word, THEN + timedelta(seconds=number))
        seen.append(known.read())

    assert [rank(each) for each in seen] == sorted(rank(each) for each in seen)
    assert len({each for each in seen if each in FINAL}) <= 1
