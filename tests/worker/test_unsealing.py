"""What a gateway seals opens in its task, and nowhere else."""

import base64
from typing import Any

import pytest

from gateway.backends.memory import MemoryBackend
from gateway.backends.sealing import Sealer, SealingPublisher
from gateway.launch.offer import Offer
from gateway.settings import load
from gateway.worker import UnsealError, unseal
from tests.backends.test_message import TASK_ID, make_launch

KEY, OTHER = (base64.b64encode(bytes([filling]) * 32).decode() for filling in (0xFB, 7))


@pytest.mark.parametrize("value", ["hunter2", "", "é\n", None, 5, 1.5, True, {"pins": [1, {"a": "b"}]}, "sealed:1:a:b"])
@pytest.mark.parametrize("keys", [KEY, f"{OTHER},{KEY}", KEY.replace("+", "-").replace("/", "_").rstrip("=")])
def test_a_value_opens_as_it_was(value: Any, keys: str) -> None:
    """Of whatever type, also while keys are changed, in both alphabets; and it looks like nothing that it is."""
    sealed = Sealer(KEY).seal(value, task_id=TASK_ID)

    assert (value, type(value)) == ((opened := unseal(sealed, task_id=TASK_ID, keys=keys)), type(opened))
    assert sealed != Sealer(KEY).seal(value, task_id=TASK_ID)
    assert "hunter2" not in sealed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keys": OTHER}, "none of the keys in GATEWAY_SECRET_KEY is [0-9a-f]{8}, with which the value was sealed"),
        ({"keys": ""}, "none of the keys"),
        ({"keys": "short"}, "a key or a sealed value is not base64"),
        ({"task_id": "01890000-0000-7000-8000-000000000001"}, "the value was changed, or sealed for another task"),
        ({"task_id": None}, "outside of a task, say which one the value was sealed for"),
    ],
)
def test_what_cannot_be_opened_is_an_error(changes: dict[str, Any], words: str) -> None:
    """Never a value that is not one."""
    sealed = Sealer(KEY).seal("hunter2", task_id=TASK_ID)

    with pytest.raises(UnsealError, match=words):
        unseal(sealed, **({"task_id": TASK_ID, "keys": KEY} | changes))


@pytest.mark.parametrize("at", [20, -8])
def test_a_changed_value_does_not_open(at: int) -> None:
    """Wherever it was changed; nor does one that was cut."""
    sealed = Sealer(KEY).seal("hunter2", task_id=TASK_ID)
    changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]

    for each in (changed, sealed[:-8], sealed[:20]):
        with pytest.raises(UnsealError):
            unseal(each, task_id=TASK_ID, keys=KEY)


def test_what_is_not_sealed_comes_back_as_it_is() -> None:
    """A task that opens may get values of a gateway that does not seal."""
    assert ["plain", 5, None, {"a": 1}] == [unseal(each, keys="") for each in ("plain", 5, None, {"a": 1})]


async def test_only_secrets_are_sealed_each_for_its_own_task() -> None:
    """Whatever else a launch holds goes as it is."""
    backend = MemoryBackend()
    params = {"name": "a", "token": "hunter2"}
    launches = [
        make_launch(params=params, secret_names=frozenset({"token", "other"})),
        make_launch(params=params, task_id="01890000-0000-7000-8000-000000000001"),
    ]

    await SealingPublisher(backend, Sealer(KEY)).publish([Offer(launch=each) for each in launches])
    sealed, plain = (each.params for each in backend.published)

    assert params == plain
    assert {"name": "a", "token": "hunter2"} == {
        name: unseal(each, task_id=TASK_ID, keys=KEY) for name, each in sealed.items()
    }
    assert sealed["token"].startswith("sealed:1:")


def test_the_key_is_shown_by_nothing() -> None:
    """Nor is one that is none."""
    assert KEY not in repr(load({"GATEWAY_SECRET_KEY": KEY}))
    with pytest.raises(Exception, match="GATEWAY_SECRET_KEY") as caught:
        load({"GATEWAY_SECRET_KEY": KEY[:20]})
    assert KEY[:20] not in str(caught.value)
