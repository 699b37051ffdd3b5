"""What stops the YAML parser, where corpus files do not show it."""

import pytest
import yaml

from gateway.config.syntax import explain


def test_an_error_without_a_place_is_told_of_the_whole_file() -> None:
    """It knows of none when it cannot even read."""
    said = explain(yaml.YAMLError("cannot\nread \x07"), "")

    assert (1, 1, "broken YAML: cannot read ?", "well-formed YAML", None) == said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("a: !<b c", 'an unquoted text that begins with "!"', id="tag"),
        pytest.param("a: |x\n b", "broken YAML: while scanning a block scalar: did not find expected comment or line break",
                     id="block"),
        pytest.param("%FOO", "broken YAML: while scanning a directive: found unknown directive name", id="directive"),
        pytest.param("a: 'b", "a quote that is never closed", id="quote"),
        pytest.param("- a\n b: c", "a colon where no value may begin", id="colon"),
    ],
)  # fmt: skip
def test_what_has_no_sentence_of_its_own_is_quoted(text: str, found: str) -> None:
    """In libyaml's words, on one line."""
    with pytest.raises(yaml.YAMLError) as caught:
        list(yaml.parse(text, Loader=yaml.CSafeLoader))

    assert found == explain(caught.value, text).found
