"""A gateway that answers what a test lays down, and commands run against it in this process."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from gateway.cli import cli
from tests.client.contract import Contract, serve_contract


@pytest.fixture
def contract() -> Iterator[Contract]:
    """The server, with nothing laid down."""
    with serve_contract() as served:
        yield served


@pytest.fixture
def gateway(contract: Contract) -> Callable[..., Result]:
    """Run a command against the server."""

    def run(*words: str, **env: str) -> Result:
        return CliRunner().invoke(cli, [*words], env={"GATEWAY_URL": contract.url, **env}, catch_exceptions=False)

    return run
