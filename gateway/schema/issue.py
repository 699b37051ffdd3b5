"""What is wrong with a schema, before anybody knows where in a file it stands."""

from msgspec import Struct

from gateway.schema.vocabulary import Steps


class SchemaIssue(Struct, frozen=True, kw_only=True):
    """One defect, at the steps that lead to it from the schema's own root."""

    path: Steps
    found: str
    wanted: str
    hint: str | None = None
    is_key: bool = False
    """True when the key is to blame rather than its value."""
