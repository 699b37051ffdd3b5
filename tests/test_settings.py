"""Settings come from the environment, are checked at once and hide what is secret."""

import re
from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.settings import DEFAULT_URL, describe, load, mask_url

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("environment", "urls"),
    [
        pytest.param({}, (DEFAULT_URL,) * 3, id="none given"),
        pytest.param({"GATEWAY_BROKER_URL": "redis://b/1"}, ("redis://b/1",) * 3, id="the broker serves all"),
        pytest.param({"GATEWAY_REDIS_URL": "redis://l"}, ("redis://l",) * 3, id="the ledger serves all"),
        pytest.param(
            {"GATEWAY_BROKER_URL": "amqp://r", "GATEWAY_RESULT_URL": "redis://x"},
            ("amqp://r", "redis://x", "redis://x"),
            id="RabbitMQ beside one Redis",
        ),
        pytest.param(
            {"GATEWAY_BROKER_URL": "redis://b", "GATEWAY_RESULT_URL": "db+sqlite:///x"},
            ("redis://b", "db+sqlite:///x", "redis://b"),
            id="results elsewhere",
        ),
    ],
)
def test_the_first_redis_url_serves_the_others(environment: dict[str, str], urls: tuple[str, str, str]) -> None:
    """One variable is enough where one Redis is all there is."""
    settings = load(environment)

    assert urls == (settings.broker_url, settings.result_url, settings.redis_url)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        pytest.param({"GATEWAY_PROT": "1"}, "GATEWAY_PROT is not a setting", id="unknown"),
        pytest.param({"GATEWAY_PORT": "x"}, "GATEWAY_PORT: Expected `int`, got `str`", id="no number"),
        pytest.param({"GATEWAY_PORT": "70000"}, "GATEWAY_PORT: Expected `int` <= 65535", id="out of range"),
        pytest.param(
            {"GATEWAY_BROKER_URL": "amqp://r"}, "the ledger needs a Redis: set GATEWAY_REDIS_URL", id="no ledger"
        ),
        pytest.param(
            {"GATEWAY_BROKER_URL": "redis://r", "GATEWAY_REDIS_URL": "db+sqlite:///x"},
            "GATEWAY_REDIS_URL must be a Redis URL, as redis://127.0.0.1:6379/0",
            id="a ledger elsewhere",
        ),
    ],
)
def test_bad_settings_are_one_sentence(environment: dict[str, str], sentence: str) -> None:
    """The sentence names the variable."""
    with pytest.raises(SettingsError) as caught:
        load(environment)

    assert sentence == str(caught.value)


def test_the_command_line_wins() -> None:
    """An override that is None says nothing."""
    settings = load({"GATEWAY_PORT": "1", "GATEWAY_HOST": "::1"}, port=2, host=None)

    assert (2, "::1") == (settings.port, settings.host)


def test_what_the_client_commands_read_is_no_fault_of_a_gateway() -> None:
    """A machine may set both; nothing else is let through."""
    settings = load({"GATEWAY_URL": "http://elsewhere", "GATEWAY_API_KEY": "k", "GATEWAY_PORT": "1"})

    assert 1 == settings.port
    assert load({"GATEWAY_PORT": "1"}) == settings


def test_no_password_is_ever_shown() -> None:
    """Neither in the repr nor in a masked URL."""
    settings = load({"GATEWAY_BROKER_URL": "redis://user:hunter2@broker:1/0"})

    assert "hunter2" not in repr(settings)
    assert "redis://…@broker:1/0" == mask_url(settings.broker_url)


def test_every_setting_is_in_the_readme() -> None:
    """With its default."""
    readme = (ROOT / "README.md").read_text()

    missing = [
        variable
        for variable, default, _ in describe()
        if not re.search(rf"^\| `{variable}` \| .*{re.escape(default)}.* \|", readme, re.MULTILINE)
    ]
    assert [] == missing
