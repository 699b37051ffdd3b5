"""A gateway whose wall clock is set an hour forth and back while it serves (row F18): what expires does so by Redis's."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import ROOT, run_gateway

LIBRARY = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu" / "faketime/libfaketime.so.1"
LAUNCH = "/api/celery/tasks/launch"
NOTE = {"task_type": "faults.note", "params": {"number": 1}}


class Clock:
    """The wall clock of one process; what measures durations runs on."""

    def __init__(self, folder: Path) -> None:
        if not LIBRARY.exists():
            message = "libfaketime is not installed"
            pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
        self._file = folder / "clock"
        self.variables = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, hours: int) -> None:
        """Set it beside the true time."""
        self._file.write_text(f"{hours:+d}h\n")


def post(http: httpx.Client, body: dict[str, Any], key: str | None = None) -> httpx.Response:
    """Ask for a launch."""
    return http.post(LAUNCH, json=body, headers={} if key is None else {"Idempotency-Key": key})


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_jumps_moves_no_key_no_place_and_no_deadline(hours: int, valkey_url: str, tmp_path: Path) -> None:
    """A key replays, a limit holds, a status is told and a wait ends, at the gateway that jumped and at another one."""
    clock = Clock(tmp_path)
    limited = {"task_type": "faults.limited", "params": {"number": 1, "key": f"k{hours}"}}
    settings = {"config": ROOT / "tests/faults/tasks.yaml", "broker_url": f"{valkey_url[:-1]}9"}
    with (
        run_gateway(tmp_path / "jumping.log", variables=clock.variables, **settings) as jumping_url,  # type: ignore[arg-type]
        run_gateway(tmp_path / "steady.log", **settings) as steady_url,  # type: ignore[arg-type]
        httpx.Client(base_url=jumping_url, timeout=10) as jumping,
        httpx.Client(base_url=steady_url, timeout=10) as steady,
    ):
        first = post(jumping, NOTE, f"k{hours}").json()
        held = [post(jumping, limited).status_code for _ in range(2)]
        clock.set(hours)
        late = post(jumping, NOTE).json()
        replayed = [post(http, NOTE, f"k{hours}").json() for http in (jumping, steady)]
        refused = [post(http, limited).status_code for http in (jumping, steady)]
        told = [http.get(each["status_url"]).json() for http in (jumping, steady) for each in (first, late)]
        waited = jumping.get(first["status_url"], params={"wait_s": 1})
        ready = jumping.get("/health/ready").status_code

    off = datetime.fromisoformat(late["launched_at"]) - datetime.now(UTC)
    assert abs(off - timedelta(hours=hours)) < timedelta(minutes=1), "the clock did not jump"
    assert [first, first] == replayed
    assert ([200, 200], [409, 409]) == (held, refused)
    assert ["PENDING"] * 4 == [each["status"] for each in told]
    assert (200, "PENDING", 200) == (waited.status_code, waited.json()["status"], ready)
