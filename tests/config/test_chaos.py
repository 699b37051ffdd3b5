"""Sound files, mutated at random: `gateway check` calls each sound or names its issues, whatever it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import ROOT, clean_environment

FILES = int(os.environ.get("CHAOS_FILES", "300"))
"""The long form of this test is run with CHAOS_FILES=100000."""
SEED = os.environ.get("CHAOS_SEED", "2026")


@pytest.mark.timeout(60 + FILES)
def test_no_mutated_file_ends_in_a_traceback_or_a_signal(tmp_path: Path) -> None:
    """In one process with little memory and little time, and none takes a second."""
    argv = [sys.executable, "-m", "tests.config.chaos", SEED, str(FILES), str(tmp_path)]

    ended = subprocess.run(argv, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False)

    last = ended.stderr.splitlines()[-1:]
    assert (0, [str(FILES - 1)], "") == (ended.returncode, last, ended.stdout), f"{tmp_path / 'mutated.yaml'}"
