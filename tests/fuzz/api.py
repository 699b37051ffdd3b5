"""Run schemathesis against real gateways, by what their own OpenAPI says: one without authentication, one with keys.

Run as `python -m tests.fuzz.api [EXAMPLES]`, with `st` beside this Python. It fails when any check does.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.demo.valkey import embedded_valkey
from tests.guarded import run_guarded
from tests.harness import ROOT, run_gateway, run_worker

HERE = Path(__file__).parent
EXAMPLES = "40"
ROLES = ("admin", "operators", "viewers", "strangers")


@contextmanager
def run_places(folder: Path) -> Iterator[list[tuple[str, str, str]]]:
    """Run what is tested; yield for each way to ask it a name, a URL and a header."""
    with (
        embedded_valkey() as url,
        run_worker(folder / "worker.log", url, DEMO_TASK_SECONDS="0"),
        run_gateway(folder / "open.log", broker_url=url) as plain,
        run_guarded(folder, broker_url=url, key_prefix="guarded:") as guarded,
    ):
        yield [
            ("without keys", plain, "X-Nothing: 1"),
            *((f"as {role}", guarded.url, f"X-API-Key: {guarded.keys[role]}") for role in ROLES),
        ]


def attack(url: str, header: str, *, examples: str) -> int:
    """Let schemathesis ask all it can think of; return how it ended."""
    command = [str(Path(sys.executable).parent / "st"), "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"{url}/openapi.json", "--header", header, "--max-examples", examples, "--generation-database", "none"]
    return subprocess.run(
        [*command, "--no-color"], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    ).returncode


def main(examples: str) -> int:
    """Try all ways; return 1 when one of them failed."""
    with TemporaryDirectory() as folder, run_places(Path(folder)) as places:
        failed = []
        for name, url, header in places:
            sys.stdout.write(f"== {name}\n")
            sys.stdout.flush()
            if attack(url, header, examples=examples):
                failed.append(name)
    sys.stdout.write(f"failed: {', '.join(failed)}\n" if failed else "nothing failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else EXAMPLES))
