"""Task ids can be told from those of others without keeping them."""

import os
import uuid

from hypothesis import given
from hypothesis import strategies as st

from gateway.launch.task_id import ENTROPY_BYTES, is_minted_here, is_task_id, mint

HERE, ELSEWHERE = b"here" * 8, b"elsewhere" * 3


@given(now_ms=st.integers(0, 2**48 - 1), entropy=st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_a_minted_id_is_a_uuid_of_version_7_that_its_own_deployment_recognises(now_ms: int, entropy: bytes) -> None:
    """Any clock and any entropy give a valid id."""
    task_id = mint(now_ms=now_ms, entropy=entropy, identity=HERE)

    parsed = uuid.UUID(task_id)
    assert (7, uuid.RFC_4122) == (parsed.version, parsed.variant)
    assert now_ms == parsed.int >> 80
    assert is_task_id(task_id)
    assert is_minted_here(task_id, identity=HERE)


def test_ids_of_another_deployment_are_strangers() -> None:
    """Of a thousand foreign ids none passes: 24 bits leave one in sixteen thousand for such a run."""
    foreign = [mint(now_ms=1, entropy=os.urandom(ENTROPY_BYTES), identity=ELSEWHERE) for _ in range(500)]
    random = [str(uuid.uuid4()) for _ in range(500)]

    assert not [task_id for task_id in foreign + random if is_minted_here(task_id, identity=HERE)]


def test_only_canonical_uuids_are_ids() -> None:
    """Nothing else ever reaches a Redis key."""
    task_id = mint(now_ms=1, entropy=b"\xab" * ENTROPY_BYTES, identity=HERE)
    strangers = ["", "*", task_id.upper(), task_id + "\n", task_id[:-1], f"{{{task_id}}}", "a" * 8192, "../" + task_id]

    assert [] == [text for text in strangers if is_task_id(text)]
