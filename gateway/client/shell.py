"""The frame of a client command: its common options, its output, its exit code.

What comes in: a function that does the work and answers an exit code. What goes out: a click command. Answers go to the
standard output, and nothing else does; refusals, progress and notes go to the standard error.
"""

import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click
from msgspec import Raw

from gateway.client.answers import ENDINGS
from gateway.client.describing import render_problem
from gateway.client.errors import AwayError, BadWordsError, ClientError, RefusedError, StrangeAnswerError
from gateway.client.http import Client, read_base
from gateway.client.table import Paper, flatten
from gateway.client.values import Word, fill_word, read_words
from gateway.settings import DEFAULT_PREFIX

DONE, ENDED_OTHERWISE, REFUSED, AWAY, INTERRUPTED = 0, 1, 2, 3, 130
_MAX_FILE_BYTES = 16 * 1024 * 1024
"""No gateway takes a body that large."""
_EPILOG = """\b
Exit codes:
    0    done; of a task that was waited for or looked at: SUCCESS, or not ended yet
    1    the task ended otherwise: FAILURE, REVOKED or UNKNOWN
    2    refused: by this command or by the gateway (4xx)
    3    no gateway answers, or it cannot serve now (5xx)
    130  interrupted

\b
GATEWAY_URL says where the gateway is, GATEWAY_API_KEY what is sent as `Authorization: Bearer`; --api-key-file names a file
that holds it.
NO_COLOR leaves out the colours of a terminal."""


class Shell:
    """What a client command works with."""

    def __init__(self, *, url: str, prefix: str, api_key_file: str | None, is_json: bool) -> None:
        self.client = Client(read_base(url, prefix), api_key=_find_api_key(api_key_file))
        self.is_json = is_json
        self.out, self.err = _look_at(sys.stdout), _look_at(sys.stderr)
        self.has_terminal = sys.stderr.isatty()
        self.can_ask = sys.stdin.isatty() and self.has_terminal

    @property
    def now(self) -> datetime:
        """The present moment: a command that waits may be long under way."""
        return datetime.now(UTC)

    def answer(self, body: bytes, render: Callable[[], list[str]]) -> None:
        """Print an answer: as it was sent for a script, else as it is rendered."""
        click.echo(body if self.is_json else "\n".join(render()), color=True)

    def answer_list(self, bodies: Iterable[Raw], render: Callable[[], list[str]]) -> None:
        """Print a list: one document a line for a script, else as it is rendered."""
        if not self.is_json:
            click.echo("\n".join(render()), color=True)
            return
        for each in bodies:
            click.echo(bytes(each))

    def note(self, lines: Iterable[str]) -> None:
        """Print what is not the answer."""
        click.echo("\n".join(lines), err=True, color=True)

    def read_words(self, words: Sequence[str]) -> tuple[Word, ...]:
        """Read `key=value` words, and the files that they name.

        Raises: BadWordsError.
        """
        return tuple(each if each.file is None else fill_word(each, _read_file(each)) for each in read_words(words))

    def ask_secrets(self, names: Iterable[str]) -> tuple[Word, ...]:
        """Ask for secret params, without showing what is typed, if there is somebody to ask."""
        if not self.can_ask:
            return ()
        return tuple(Word(name=name, text=click.prompt(name, hide_input=True, err=True)) for name in names)


def client_command(name: str, short_help: str, **attributes: Any) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function that takes a `Shell` and answers an exit code."""

    def decorate(work: Callable[..., int]) -> click.Command:
        @click.command(name, short_help=short_help, epilog=_EPILOG, **attributes)
        @click.option("--json", "is_json", is_flag=True, help="Print what the gateway sent, for scripts.")
        @click.option(
            "--url", envvar="GATEWAY_URL", default="http://127.0.0.1:8000", show_default=True, show_envvar=True,
            help="Where the gateway is.",
        )  # fmt: skip
        @click.option(
            "--prefix", envvar="GATEWAY_PREFIX", default=DEFAULT_PREFIX, show_default=True, show_envvar=True,
            help="The path before /tasks.",
        )  # fmt: skip
        @click.option(
            "--api-key-file", envvar="GATEWAY_API_KEY_FILE", metavar="PATH", show_envvar=True,
            help="The file that holds the API key, where GATEWAY_API_KEY does not.",
        )  # fmt: skip
        @functools.wraps(work)
        def command(url: str, prefix: str, *, api_key_file: str | None, is_json: bool, **given: Any) -> None:
            def do() -> int:
                return work(Shell(url=url, prefix=prefix, api_key_file=api_key_file, is_json=is_json), **given)

            sys.exit(_run(do, is_json=is_json))

        made: click.Command = command
        return made

    return decorate


def judge(status: str, *, is_final: bool) -> int:
    """Choose the exit code of a status: a word that is none of the known ones is a success only while it may go on."""
    return DONE if ENDINGS.get(status, not is_final) else ENDED_OTHERWISE


def _run(work: Callable[[], int], *, is_json: bool) -> int:
    """Do the work; turn what goes wrong into sentences and an exit code."""
    try:
        return work()
    except RefusedError as error:
        lines = "\n".join(render_problem(error.problem))
        click.echo(error.body if is_json and error.body else lines, err=True)
        return AWAY if error.may_pass else REFUSED
    except BadWordsError as error:
        click.echo("\n".join(f"gateway: {each}" for each in error.complaints), err=True)
        return REFUSED
    except ClientError as error:
        hint = "; --url or GATEWAY_URL says where the gateway is" if isinstance(error, AwayError) else ""
        click.echo(f"gateway: {flatten(str(error))}{hint}", err=True)
        return AWAY if isinstance(error, AwayError | StrangeAnswerError) else REFUSED
    except (KeyboardInterrupt, click.Abort):
        click.echo(err=True)
        return INTERRUPTED


def _look_at(stream: TextIO) -> Paper:
    """Find out what an output can show."""
    if not stream.isatty():
        return Paper()
    is_coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Paper(width=shutil.get_terminal_size().columns, is_coloured=is_coloured)


def _find_api_key(path: str | None) -> str:
    """Find the key to send: the environment's, else that of a file; never one of the command line, which everybody reads.

    Raises: BadWordsError.
    """
    given = os.environ.get("GATEWAY_API_KEY", "")
    if given or not path:
        return given
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadWordsError((f"the key file {path} cannot be read as one",)) from error


def _read_file(word: Word) -> bytes:
    """Read the file of a word.

    Raises: BadWordsError.
    """
    try:
        with click.open_file(str(word.file), "rb") as file:
            content: bytes = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadWordsError((f"{word.name}: {Path(str(word.file)).name}: {(error.strerror or '').lower()}",)) from error
    if len(content) > _MAX_FILE_BYTES:
        raise BadWordsError((f"{word.name}: {word.file} is larger than any gateway takes",))
    return content
