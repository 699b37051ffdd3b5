"""The docs page in a real browser that reaches no other host."""

import subprocess
from pathlib import Path

import pytest

from tests.harness import need

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=10000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


@pytest.mark.timeout(120)
def test_the_docs_load_with_the_network_cut_off(gateway_url: str, tmp_path: Path) -> None:
    """Every task type is an operation on the rendered page."""
    argv = [need("chromium"), *FLAGS, f"--user-data-dir={tmp_path}", "--dump-dom", f"{gateway_url}/docs"]

    page = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=True).stdout

    for task_type in ("sii.sync_documents", "sii.sync_documents_all", "sii.sync_f29", "sii.sync_f29_all"):
        assert f'data-path="/api/celery/tasks/launch/{task_type}"' in page
    assert "Failed to load API definition" not in page
