"""What libyaml says of a file that it cannot read to its end, in the words of somebody who has to mend it."""

from typing import NamedTuple

import yaml

from gateway.config.text import HIDDEN

_CLOSING = {"{": "}", "[": "]"}
_QUOTED = {"'": "''", '"': '\\"'}
"""How a quote is written between quotes of its own kind."""


_SENTENCES = (
    ("mapping values are not allowed", "a colon where no value may begin", "one `key: value` a line",
     "quote a text that holds `: `; or look at the line before, at its colon and its indentation"),
    ("cannot start any token", 'an unquoted text that begins with "{here}"', "the text in quotes", None),
    ("while scanning a quoted scalar: found unexpected", "a quote that is never closed", "a second `{opening}`", None),
    ("unknown escape", "the escape `{escape}`", "one that YAML knows",
     "between single quotes a backslash is just a backslash"),
    ("escape code", "an escape that names no character", "the code of a character, in hexadecimal digits", None),
    ("hexdecimal", "an escape with too few digits", "the code of a character, in hexadecimal digits", None),
    ("expected alphabetic", 'an unquoted text that begins with "{opening}"', "the text in quotes", None),
    ("ing a tag", 'an unquoted text that begins with "{opening}"', "the text in quotes", None),
    ("could not find expected ':'", "a line that is neither a key nor an item", "`key: value`, or `- item`",
     "is a colon, or the space after it or after a dash, missing?"),
    ("incompatible YAML", "a version that is none of YAML's", "no `%YAML` line, which nobody needs", None),
)  # fmt: skip
"""By a part of libyaml's words: what was found, what is wanted, and a hint."""


class Explanation(NamedTuple):
    """What to say, and where: `line` and `column` count from 1."""

    line: int
    column: int
    found: str
    wanted: str
    hint: str | None = None


def explain(error: yaml.YAMLError, text: str) -> Explanation:
    """Explain why the parser stopped; it stops at the first reason."""
    problem = getattr(error, "problem", None) or ""
    context = getattr(error, "context", None) or ""
    at = getattr(error, "problem_mark", None)
    begun = getattr(error, "context_mark", None) or at
    if at is None or begun is None:
        return Explanation(1, 1, f"broken YAML: {_clean(str(error))}", "well-formed YAML")
    found, wanted, hint = _say(context, problem, at, begun, text)
    # What was begun and never ended is mended where it begins; anything else where the parser met it.
    mark = begun if context.startswith(("while parsing a flow", "while scanning a")) else at
    return Explanation(mark.line + 1, mark.column + 1, found, wanted, hint)


def _say(context: str, problem: str, at: yaml.Mark, begun: yaml.Mark, text: str) -> tuple[str, str, str | None]:
    here, opening = text[at.index : at.index + 1], text[begun.index : begun.index + 1]
    words = f"{context}: {problem}".removeprefix(": ")
    if "cannot start any token" in words and here == "\t":
        return "a tab", "spaces: YAML indents with nothing else", None
    if "while parsing a flow" in words and opening in _CLOSING:
        where = f"{at.line + 1}:{at.column + 1}"
        return (
            f"a `{opening}` that is neither continued nor closed at {where}",
            f"a comma or `{_CLOSING[opening]}` there",
            None,
        )
    if "while parsing a block" in words:
        return _say_of_block(here, text[: at.index].rstrip(" ")[-1:], is_list="collection" in words)
    facts = {"here": here, "opening": opening, "escape": _clean(text[at.index : at.index + 2])}
    for part, found, wanted, hint in _SENTENCES:
        if part in words:
            return found.format_map(facts), wanted.format_map(facts), hint
    return f"broken YAML: {_clean(words)}", "well-formed YAML", None


def _say_of_block(here: str, before: str, *, is_list: bool) -> tuple[str, str, str | None]:
    """Say why a line does not go on with the mapping or the list above it."""
    if here in _CLOSING.values():
        return f"a `{here}` that closes nothing", "as many brackets closed as were opened", None
    if before in _QUOTED:
        hint = f"between two of them, {before} is written {_QUOTED[before]}"
        return "more text after a closing quote", "the line to end there", hint
    if here == ":":
        return "a colon without a key", "`key: value`", None
    if is_list:
        return "something that is no item of the list above it", "`- item`", "is it indented like the items above it?"
    return "something that is no key of the mapping above it", "`key: value`", "is it indented like the keys above it?"


def _clean(words: str) -> str:
    return HIDDEN.sub("?", " ".join(words.split()))
