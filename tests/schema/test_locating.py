"""Errors of jsonschema-rs are blamed on the key they are at."""

import jsonschema_rs
import pytest

from gateway.schema.locating import locate


@pytest.mark.parametrize("key", ["2", "02", "+2", "0", "00", "-1", "²", "9" * 5000, "0" * 5000 + "2", "a/b"])
def test_a_key_that_looks_like_a_number_is_a_key(key: str) -> None:
    """However it is written; an index stays one."""
    validator = jsonschema_rs.Draft202012Validator({"properties": {key: {"items": {"type": "integer"}}}})
    value = {"a": 1, key: [1, "x"]}

    (error,) = validator.iter_errors(value)

    assert (key, 1) == locate(value, error.instance_path)


def test_of_several_keys_it_is_the_one_that_the_path_fits() -> None:
    """What fits none is left as it is."""
    value = {"2": [], "02": ["x"], "b": {"c": 1}}

    assert [("02", 0), ("b", "c"), (2, 1), ("b", 0)] == [
        locate(value, path) for path in ([2, 0], ["b", "c"], [2, 1], ["b", 0])
    ]
