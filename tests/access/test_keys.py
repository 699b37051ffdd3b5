"""API keys: made, kept as a hash, recognised, and never in clear."""

import os
import random
import statistics
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.keys import (
    ENTROPY_BYTES,
    LENGTH,
    MARK,
    ApiKey,
    find_caller,
    is_well_formed,
    make_key,
    read_keys,
    write_line,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SOUND = "name=ci roles=operators id=06quQnwy salt=" + "0" * 32 + " digest=" + "1" * 64
FIELDS = "name, roles, id, salt, digest, created_at, expires_at"


def make(*, name: str = "ci", expires_at: datetime | None = None) -> tuple[str, str]:
    """Make a key and its line."""
    key, key_id, kept = make_key(os.urandom(ENTROPY_BYTES))
    line = write_line(
        name=name, roles=["operators", "viewers"], key_id=key_id, kept=kept, created_at=NOW, expires_at=expires_at
    )
    return key, line


def read(*lines: str) -> dict[str, ApiKey]:
    """Read sound lines."""
    keys, issues = read_keys("\n".join(lines).encode(), file="keys")
    assert () == issues
    return keys


def test_a_key_is_recognised_and_its_line_does_not_hold_it() -> None:
    """It names the caller and the roles; the key begins with its mark and is found whole by its checksum."""
    key, line = make()

    caller = find_caller(read("# a comment", "", line), key.encode(), now=0)

    assert caller is not None
    assert ("key:ci", {"operators", "viewers"}, "key") == (caller.id, caller.roles, caller.kind)
    assert (LENGTH, True, True) == (len(key), key.startswith(MARK), is_well_formed(key))
    assert not is_well_formed(key[:-1] + ("0" if key[-1] != "0" else "1"))
    assert key[len(MARK) + 8 :] not in line


def test_two_keys_of_one_name_are_one_caller() -> None:
    """As long as both stand in the file, which is how one replaces the other."""
    (old, first), (new, second) = make(), make()

    callers = {str(find_caller(read(first, second), each.encode(), now=0)) for each in (old, new)}

    assert 1 == len(callers)
    assert find_caller(read(second), old.encode(), now=0) is None


@pytest.mark.parametrize(("age_s", "id_"), [(59, "key:ci"), (60, None), (61, None)])
def test_a_key_expires(age_s: int, id_: str | None) -> None:
    """To the second."""
    key, line = make(expires_at=NOW.replace(minute=1))

    found = find_caller(read(line), key.encode(), now=NOW.timestamp() + age_s)

    assert id_ == (found and found.id)


def test_no_other_text_is_a_key() -> None:
    """Cut, longer, another secret under a known id, another id, bytes that are no text."""
    key, line = make()
    keys = read(line)
    other, _ = make()
    raw = key.encode()
    tries = [raw[:-1], raw + b"x", raw + raw, raw.swapcase(), raw[:12] + other.encode()[12:], other.encode(), b"\xff"]

    assert [None] * len(tries) == [find_caller(keys, each, now=0) for each in tries]


@given(st.binary(max_size=200))
def test_whatever_is_presented_is_no_error(presented: bytes) -> None:
    """And nobody's key."""
    assert find_caller(KNOWN, presented, now=0) is None


KNOWN = read(make()[1])


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("tgk_06quQnwymlmQ", f"found a word without `=`, wanted name=value for each of {FIELDS} (a key itself never stands here: make its line with `gateway keys new`)"),
        (SOUND.replace("roles", "role"), f"found an unknown field, wanted one of {FIELDS} (did you mean `roles`?)"),
        (f"{SOUND} name=x", "found `name` twice, wanted each field once"),
        (SOUND.replace("operators", "Operators"), "found a bad `roles`, wanted roles joined by commas, each of small letters, digits, `_` and `-`"),
        (SOUND.replace("operators", ""), "found a bad `roles`, wanted roles joined by commas, each of small letters, digits, `_` and `-`"),
        (SOUND.replace("salt=0", "salt="), "found a bad `salt`, wanted 16 bytes in hexadecimal"),
        (SOUND.replace("id=06quQnwy ", ""), "found no `id`, wanted name, roles, id, salt, digest on every line"),
        (f"{SOUND} expires_at=tomorrow", "found a bad `expires_at`, wanted a moment with its UTC offset, as 2026-01-31T12:00:00Z"),
        (f"{SOUND} expires_at=2026-01-31T12:00:00", "found a bad `expires_at`, wanted a moment with its UTC offset, as 2026-01-31T12:00:00Z"),
        (f"{SOUND} expires_at=1900000000", "found a bad `expires_at`, wanted a moment with its UTC offset, as 2026-01-31T12:00:00Z"),
        (f"name=b\x00 {SOUND[8:]}", "found a bad `name`, wanted letters, digits and `._@-`, at most 64"),
    ],
)  # fmt: skip
def test_a_broken_line_is_an_issue_and_no_key(line: str, complaint: str) -> None:
    """It quotes nothing of the line, which may hold a key; the lines around it are keys all the same."""
    _, other = make()

    keys, issues = read_keys(f"{other}\n{line}\n".encode(), file="keys")

    assert [f"keys:2:1: {complaint}"] == [str(each) for each in issues]
    assert 1 == len(keys)


def test_the_same_id_twice_is_the_first_alone() -> None:
    """Whatever the second line says."""
    keys, issues = read_keys(f"{SOUND}\n{SOUND.replace('operators', 'admin')}".encode(), file="keys")

    assert ["keys:2:1: found the id of another line, wanted each key once; the first is at line 1"] == list(
        map(str, issues)
    )
    assert {"operators"} == keys["06quQnwy"].caller.roles


@given(st.binary(max_size=400))
def test_any_content_is_keys_and_issues(content: bytes) -> None:
    """Never another error."""
    keys, issues = read_keys(content, file="keys")

    assert not keys or not issues


def test_how_long_a_key_takes_says_nothing_about_its_secret() -> None:
    """Welch's t over interleaved looks at secrets that are nearly right, and at others; the least of a few, on a busy machine."""
    key, line = make()
    keys = read(line)

    assert min(_compare(keys, key) for _ in range(5)) < 4.5


def _compare(keys: dict[str, ApiKey], key: str) -> float:
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(5_000):
        other = make()[0]
        tries = [(0, f"{key[:-1]}{other[-1]}x"[:LENGTH].encode()), (1, f"{key[:12]}{other[12:]}".encode())]
        for kind, presented in random.sample(tries, 2):
            began = time.perf_counter_ns()
            find_caller(keys, presented, now=0)
            times[kind].append(time.perf_counter_ns() - began)
    cut = statistics.quantiles(times[0] + times[1], n=10)[8]
    first, second = ([each for each in found if each <= cut] for found in times)
    spread = statistics.variance(first) / len(first) + statistics.variance(second) / len(second)
    return float(abs(statistics.mean(first) - statistics.mean(second)) / spread**0.5)
