"""From a launch to its row and back: what is sent again is what was sent."""

from datetime import UTC, datetime, timedelta

from gateway.launch.launch import Launch, Lineage, record, restore

THEN = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


def test_a_recorded_launch_is_made_again_as_it_was() -> None:
    """All that its message says; what only its first publish needed is gone."""
    launch = Launch(
        task_id="id", task_type="a", name="b", params={"n": 1}, queue="q", priority=3, is_plain=False, eta=THEN,
        expires_at=THEN + timedelta(hours=1), time_limit_s=9, soft_time_limit_s=8, keep_s=60, launched_at=THEN, digest="d",
        generation=2, lineage=Lineage(retry_of="x", root_id="x", attempt=2), batch_id="y", delivery="at_most_once",
        reconcile_after_s=3,
    )  # fmt: skip

    assert launch == restore(record(launch))


def test_secrets_stay_away() -> None:
    """A row holds only their names."""
    launch = Launch(
        task_id="id", task_type="a", name="b", params={"n": 1, "token": "t"}, secret_names=frozenset({"token"}), queue="q",
        keep_s=60, launched_at=THEN, digest="d", generation=2,
    )  # fmt: skip

    assert {"n": 1} == restore(record(launch)).params
