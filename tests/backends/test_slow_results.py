"""A result backend that is slow, away or not yet there: told within the deadline, and never a stop of the event loop."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from gateway.backends.results.blocking_results import BlockingResults, blame
from gateway.backends.results.choosing import make_results
from gateway.demo.valkey import find_free_port
from gateway.errors import ResultsUnavailableError

DEADLINE_S = 0.5
TABLE = "CREATE TABLE celery_taskmeta (task_id TEXT UNIQUE, status TEXT, result BLOB, date_done TEXT, traceback TEXT)"
HOLD = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as connection:
    connection.execute("BEGIN EXCLUSIVE")
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Have another process lock a database for as long as the block lasts."""
    argv = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"held\n" == process.stdout.readline()
        yield


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[BlockingResults]:
    """Open a reader."""
    results = make_results(url, key_prefix="", deadline_s=DEADLINE_S, max_bytes=5000)
    assert isinstance(results, BlockingResults)
    yield results
    results.close()


async def watch(gaps: list[float]) -> None:
    """Note how long the event loop stands still, until cancelled."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.005)
        gaps.append(time.monotonic() - began)


async def test_a_locked_database_stops_nobody_else(tmp_path: Path) -> None:
    """Every reader is told within the deadline; once the lock is gone, the next one reads."""
    path = tmp_path / "results.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TABLE)
        connection.execute("INSERT INTO celery_taskmeta VALUES ('a', 'SUCCESS', '7', NULL, NULL)")
        connection.commit()
    gaps: list[float] = []
    async with opened(f"db+sqlite:///{path}") as results:
        watching = asyncio.create_task(watch(gaps))
        began = time.monotonic()
        with hold(path):
            began = time.monotonic()
            outcomes = await asyncio.gather(*(results.find(["a"]) for _ in range(20)), return_exceptions=True)
            took_s = time.monotonic() - began
        watching.cancel()
        after = await results.find(["a"])

    assert {ResultsUnavailableError} == {type(outcome) for outcome in outcomes}
    assert {"the result backend does not answer in time"} == {str(outcome) for outcome in outcomes}
    assert DEADLINE_S / 2 < took_s < DEADLINE_S + 0.3
    assert max(gaps) < 0.2
    assert [b'{"status":"SUCCESS","result":7'] == [raw and raw.head.partition(b',"traceback"')[0] for raw in after]


async def test_a_database_that_is_not_there_yet_has_heard_nothing(tmp_path: Path) -> None:
    """Neither without a file, which is not made, nor without a table; both are told as odd, not as an outage."""
    path = tmp_path / "results.db"
    async with opened(f"db+sqlite:///{path}") as results:
        without_file = await results.find(["a", "b"])
        await results.check()
        odd = [results.warnings]
        is_made = path.exists()
        with closing(sqlite3.connect(path)) as connection:
            without_table = await results.find(["a"])
            await results.check()
            odd.append(results.warnings)
            connection.execute(TABLE)
            with_table = await results.find(["a"])
            await results.check()
            odd.append(results.warnings)

    assert ([None, None], [None], [None], False) == (without_file, without_table, with_table, is_made)
    assert [
        ("the file of the results does not exist, so that nothing is heard of any task",),
        ("there is no table celery_taskmeta yet, so that nothing is heard of any task",),
        (),
    ] == odd


async def test_a_table_that_has_changed_is_looked_at_again(tmp_path: Path) -> None:
    """The read that stumbles over it is refused, the next one is not."""
    path = tmp_path / "results.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TABLE)
        async with opened(f"db+sqlite:///{path}") as results:
            before = await results.find(["a"])
            connection.execute("DROP TABLE celery_taskmeta")
            with pytest.raises(ResultsUnavailableError, match=r"cannot be used \(OperationalError\)"):
                await results.find(["a"])
            after = await results.find(["a"])

    assert ([None], [None]) == (before, after)


async def test_many_ids_are_read_at_once(tmp_path: Path) -> None:
    """In their order, over more than one SELECT."""
    path = tmp_path / "results.db"
    ids = [f"id-{number}" for number in range(1200)]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TABLE)
        rows = [(task_id, "SUCCESS", b"1") for task_id in ids[::2]]
        connection.executemany("INSERT INTO celery_taskmeta (task_id, status, result) VALUES (?, ?, ?)", rows)
        connection.commit()
    async with opened(f"db+sqlite:///{path}") as results:
        found = await results.find(ids)
        none = await results.find([])

    assert [True, False] * 600 == [raw is not None for raw in found]
    assert [] == none


async def test_a_folder_that_is_not_there_yet_has_heard_nothing(tmp_path: Path) -> None:
    """It is not made, nothing is written into it, and that it is missing is told."""
    folder = tmp_path / "results"
    async with opened(f"file://{folder}") as results:
        found = await results.find(["a", "b"])
        await results.check()
        odd = results.warnings
        is_made = folder.exists()
        folder.mkdir(mode=0o500)
        await results.check()

        assert ([None, None], False) == (found, is_made)
        assert ("the folder of the results does not exist, so that nothing is heard of any task",) == odd
        assert ((), []) == (results.warnings, list(folder.iterdir()))


async def test_a_memcached_that_is_away_is_an_outage() -> None:
    """Not a backend that has heard nothing."""
    async with opened(f"cache+memcached://127.0.0.1:{find_free_port('127.0.0.1')}/") as results:
        with pytest.raises(ResultsUnavailableError, match="cannot be reached"):
            await results.find(["a"])
        with pytest.raises(ResultsUnavailableError, match="cannot be reached"):
            await results.check()


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (TimeoutError(), "results_unavailable", "the result backend does not answer in time"),
        (RuntimeError("database is locked"), "results_unavailable", "the result backend does not answer in time"),
        (RuntimeError("password of x refused"), "results_login", "the result backend refuses the password"),
        (ConnectionRefusedError(), "results_unavailable", "the result backend cannot be reached"),
        (RuntimeError("hunter2"), "results_unavailable", "the result backend cannot be used (RuntimeError)"),
    ],
)
def test_what_a_client_raises_is_told_in_our_words(error: Exception, code: str, sentence: str) -> None:
    """Without the text of the cause, which may quote anything."""
    told = blame(error)

    assert (code, sentence) == (told.code, str(told))


async def test_whoever_goes_away_is_not_waited_for(tmp_path: Path) -> None:
    """The next one is answered all the same."""
    async with opened(f"file://{tmp_path}") as results:
        asked = results.find(["a"])
        asked.cancel()
        answered = await results.find(["a"])

    assert (True, [None]) == (asked.cancelled(), answered)
