"""Values that came as text, as those of a query string do."""

from datetime import datetime
from typing import Any

import msgspec


def read_text(text: str, kind: Any) -> Any:
    """Read a text as a value of a type: numbers and truths as JSON writes them, moments as RFC 3339 does.

    msgspec's own leniency goes further: it takes `null` for a value that is not there, and any number for a moment.
    Raises: msgspec.ValidationError.
    """
    value = msgspec.convert(text, kind, strict=False)
    return msgspec.convert(text, kind) if value is None or isinstance(value, datetime) else value
