"""Mutate sound files and check each as `gateway check` does, within limits; print what did not end as it must.

Run as `python -m tests.config.chaos SEED COUNT FOLDER`. Standard error holds the number of the file that is being
read, so that a death by a signal can be told of it; standard output holds one traceback after the other.
"""

import contextlib
import io
import re
import resource
import sys
import time
import traceback
from pathlib import Path
from random import Random

from gateway.cli.check import HAS_ISSUES, check_command
from tests.harness import ROOT

ADDRESS_SPACE_BYTES = 1 << 30
CPU_S = 20
CPU_S_PER_FILE = 0.1
FILE_S = 1
TOKENS = (
    b"&a ", b"*a", b"!!python/object:os.system ", b"!a%0A ", b"<<: ", b"<<", b"? ", b": ", b"- ", b"[", b"]", b"{", b"}",
    b"'", b'"', b"|\n", b">-\n", b"%TAG !a! b\n", b"%YAML 1.2\n", b"---\n", b"...\n", b"#", b",", b"\t", b"\r", b"\x00",
    b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\\u0000", b"\\ud800", b"9" * 5000, b"1e999", b"-0", b".nan",
    b"0x1F", b"1:30", b"null", b"no", b"~", b"[" * 40, b"{a: " * 40, b"x" * 5000, b"\xc2\xb2", b"params.", b"((((a{1,99}){1,99}){1,99}",
    b"$ref: '#'", b"$ref: '#/schemas/a'", b"$id: a", b"$anchor: a", b"$dynamicRef: '#a'", b"default: ", b"type: ", b"required: true",
    b"secret: true", b"minLength: -1", b"enum: []", b"const: ", b"format: regex", b"multipleOf: 0", b"uniqueItems: 1",
)  # fmt: skip
"""What is put into files, beside bytes at random."""
WORD = re.compile(rb"[^\s:,{}\[\]]+")


def read_sound_files() -> list[bytes]:
    """Read the repository's valid files."""
    return [path.read_bytes() for path in [ROOT / "tasks.yaml", *sorted((ROOT / "tests/data/valid").glob("*.yaml"))]]


def mutate(data: bytes, chance: Random) -> bytes:
    """Change a file in a few places; half the changes leave it a mapping of keys and values."""
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        data = chance.choice(CHANGES)(data, chance)
    return data


def _put_token(data: bytes, chance: Random) -> bytes:
    """Put a token somewhere, perhaps in place of a word."""
    start = chance.randint(0, len(data))
    end = start + chance.choice((0, 0, 1, 4, 20))
    return data[:start] + chance.choice(TOKENS) + data[end:]


def _change_word(data: bytes, chance: Random) -> bytes:
    """Put a token, or another word of the file, in place of a word."""
    words = list(WORD.finditer(data))
    if not words:
        return data
    word, other = chance.choice(words), chance.choice(words)
    return data[: word.start()] + chance.choice((other[0], chance.choice(TOKENS))) + data[word.end() :]


def _change_bytes(data: bytes, chance: Random) -> bytes:
    start = chance.randint(0, len(data))
    return data[:start] + chance.randbytes(chance.randint(0, 3)) + data[start + chance.randint(0, 3) :]


def _move_line(data: bytes, chance: Random) -> bytes:
    """Move a line, or copy it, once or a thousand times."""
    lines = data.splitlines(keepends=True) or [b""]
    line = lines[chance.randrange(len(lines))]
    at = chance.randrange(len(lines))
    return b"".join([*lines[:at], *[line] * chance.choice((1, 2, 1000)), *lines[at + chance.randint(0, 1) :]])


def _indent_line(data: bytes, chance: Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = chance.randrange(len(lines))
    lines[at] = b" " * chance.randint(0, 9) + lines[at].lstrip()
    return b"".join(lines)


def _take_over(data: bytes, chance: Random) -> bytes:
    """Put a piece of the file elsewhere in it."""
    start, end = sorted(chance.randint(0, len(data)) for _ in range(2))
    at = chance.randint(0, len(data))
    return data[:at] + data[start : min(end, start + 400)] + data[at:]


CHANGES = (
    _change_word, _change_word, _change_word, _change_word, _move_line,
    _put_token, _change_bytes, _indent_line, _take_over,
)  # fmt: skip


def check(path: Path) -> str:
    """Check one file; return what went wrong, nothing when it is sound or has issues."""
    shown = io.StringIO()
    began = time.process_time()
    try:
        with contextlib.redirect_stdout(shown):
            check_command.main([str(path)], standalone_mode=False)
    except SystemExit as ended:
        took_s = time.process_time() - began
        is_told = ended.code == (0 if shown.getvalue().endswith(", no issue\n") else HAS_ISSUES)
        return "" if is_told and took_s < FILE_S else f"exit code {ended.code} after {took_s} s:\n{shown.getvalue()}"
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        return traceback.format_exc()
    return "it did not exit"


def main(seed: str, count: int, folder: Path) -> None:
    """Check so many mutated files."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    cpu_s = int(CPU_S + CPU_S_PER_FILE * count)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    files = read_sound_files()
    path = folder / "mutated.yaml"
    for number in range(count):
        chance = Random(f"{seed}:{number}")  # noqa: S311 - to be repeated, not to be secret
        path.write_bytes(mutate(chance.choice(files), chance))
        sys.stderr.write(f"{number}\n")
        wrong = check(path)
        if wrong:
            sys.stdout.write(f"file {number} of seed {seed}: {wrong}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
