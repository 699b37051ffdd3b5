"""What libyaml says of a file that it cannot read to its end, in the words of somebody who has to mend it."""

from typing import NamedTuple

import yaml

from gateway.config.text import HIDDEN

_CLOSING = {"{": "}", "[": "]"}
_INDENTATION = "is it indented like its neighbours? a bracket, or a quote inside quotes, may also be one too many"


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
    found, wanted, hint = _say(f"{context}: {problem}", at, begun, text)
    # What was begun and never ended is mended where it begins; anything else where the parser met it.
    mark = begun if context.startswith(("while parsing a flow", "while scanning a")) else at
    return Explanation(mark.line + 1, mark.column + 1, found, wanted, hint)


def _say(words: str, at: yaml.Mark, begun: yaml.Mark, text: str) -> tuple[str, str, str | None]:
    here, opening = text[at.index : at.index + 1], text[begun.index : begun.index + 1]
    match words:
        case _ if "mapping values are not allowed" in words:
            hint = "quote a text that holds `: `; or look at the line before, at its colon and its indentation"
            return "a colon where no value may begin", "one `key: value` a line", hint
        case _ if "cannot start any token" in words and here == "\t":
            return "a tab", "spaces: YAML indents with nothing else", None
        case _ if "cannot start any token" in words:
            return f'an unquoted text that begins with "{here}"', "the text in quotes", None
        case _ if "while parsing a flow" in words and opening in _CLOSING:
            found = f"a `{opening}` that is neither continued nor closed at {at.line + 1}:{at.column + 1}"
            return found, f"a comma or `{_CLOSING[opening]}` there", None
        case _ if "while scanning a quoted" in words and "unexpected" in words:
            return "a quote that is never closed", f"a second `{opening}`", None
        case _ if "unknown escape" in words:
            found = f"the escape `{_clean(text[at.index : at.index + 2])}`"
            return found, "one that YAML knows", "between single quotes a backslash is just a backslash"
        case _ if "could not find expected ':'" in words:
            hint = "is a colon, or the space after it or after a dash, missing?"
            return "a line that is neither a key nor an item", "`key: value`, or `- item`", hint
        case _ if "while parsing a block mapping" in words:
            return "something that is no key of the mapping above it", "a key", _INDENTATION
        case _ if "while parsing a block collection" in words:
            return "something that is no item of the list above it", "`- ` and an item", _INDENTATION
        case _:
            return f"broken YAML: {_clean(words.removeprefix(': '))}", "well-formed YAML", None


def _clean(words: str) -> str:
    return HIDDEN.sub("?", " ".join(words.split()))
