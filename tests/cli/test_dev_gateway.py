"""The demo with the gateway itself, as `gateway dev` starts it."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.demo.terminal import Demo, wait_until

COMMAND = [sys.executable, "-c", "from gateway.cli.dev import dev_command; dev_command()"]


@pytest.fixture
def port() -> int:
    """Answer a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_the_line_to_paste_launches_a_task(tmp_path: Path, port: int) -> None:
    """The printed line works as it stands, and its task succeeds."""
    demo = Demo(tmp_path, [*COMMAND, "--port", str(port)])
    try:
        demo.wait_for("curl -sS")
        wait_until(lambda: "}}'\n" in demo.output, timeout_s=5)
        line = re.findall(r"^curl -sS .*$", demo.output, re.MULTILINE)[0]

        receipt = subprocess.run(["bash", "-c", line], capture_output=True, check=True, text=True, timeout=20)

        task_id = re.findall(r'"task_id":\s*"([^"]+)"', receipt.stdout)[0]
        url = f"http://127.0.0.1:{port}/api/celery/tasks/{task_id}"
        deadline = time.monotonic() + 20
        while (status := httpx.get(url).json())["status"] != "SUCCESS" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert status["result"] == {"company_id": "76123456-7", "months": 1, "documents": 37}
        assert httpx.get(f"http://127.0.0.1:{port}/docs").status_code == 200
    finally:
        demo.popen.send_signal(signal.SIGINT)
        took_s = wait_until(lambda: not demo.find_processes(), timeout_s=10)
        demo.close()
    assert took_s < 5
    assert demo.popen.wait(5) == 0


def test_a_file_with_issues_is_told_as_check_tells_it(tmp_path: Path, port: int) -> None:
    """A bad tasks.yaml ends the demo with the gateway's own words and its exit code."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\ntasks: {a: {queu: sii}}\n")
    demo = Demo(tmp_path, [*COMMAND, "--port", str(port), "--config", str(bad)])

    assert demo.wait_for_end() == 2

    demo.close()
    assert f"{bad}:2:" in demo.output
    assert " | " not in demo.output
