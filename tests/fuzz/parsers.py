"""What reads bytes of strangers, fed by coverage: nothing but our own errors may come out.

Run as `python -m tests.fuzz.parsers TARGET`, with whatever libFuzzer takes behind it. Source: google/atheris, libFuzzer.
"""

import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from types import MappingProxyType
from urllib.parse import quote_from_bytes

import atheris

with atheris.instrument_imports(include=["gateway", "yaml"], enable_loader_override=False):
    import json

    from gateway.access.keys import ENTROPY_BYTES, find_caller, is_well_formed, make_key, read_keys
    from gateway.catalog.deployment import Deployment
    from gateway.errors import ConfigError, MalformedBodyError, RefusedParamsError
    from gateway.history.cursor import read_cursor, write_cursor
    from gateway.history.filters import Filters
    from gateway.history.sources import list_sources
    from gateway.launch.options import InvalidOptionsError, read_options
    from gateway.launch.request import read_launch_body
    from gateway.loading import compile_sources
    from gateway.schema import check_count, parse_body
    from gateway.web.door import FollowQuery
    from gateway.web.history import HistoryQuery
    from gateway.web.reading import read_query, read_query_members

DEPLOYMENT = Deployment(keep_s=600, visibility_timeout_s=3600)
PARAMS = compile_sources(
    {
        "tasks.yaml": b"""
version: 1
tasks:
  a:
    parameters:
      text: {type: string, pattern: "^(a|b)+$", maxLength: 9}
      count: {type: integer, minimum: 1, default: 1}
      deep: {type: object, required: false, properties: {list: {type: array, items: {anyOf: [{type: number}, {const: x}]}}}}
    rules: [{rule: "params.count < 5", message: m}]
"""
    },
    DEPLOYMENT,
).task_types["a"]
QUERIES = (FollowQuery, HistoryQuery)
OPTIONS = frozenset({"countdown_s", "eta", "expires_s", "priority"})
FILTERS = (Filters(), Filters(status="FAILURE"), Filters(batch="01890000-0000-7000-8000-000000000000"))
KEY, KEY_ID, KEPT = make_key(bytes(range(ENTROPY_BYTES)))
KNOWN, _ = read_keys(f"name=a roles=a id={KEY_ID} {KEPT}".encode(), file="keys")


def read_yaml(data: bytes) -> None:
    """A file compiles, or each of its issues has a place."""
    refused: ConfigError | None = None
    try:
        compile_sources({"f": data}, DEPLOYMENT)
    except ConfigError as error:
        refused = error
    assert refused is None or refused.issues
    assert refused is None or all(issue.line > 0 for issue in refused.issues)


def read_body(data: bytes) -> None:
    """A body is what `json` makes of it, or refused; as params it is taken or refused."""
    with suppress(MalformedBodyError, RefusedParamsError):
        check_count(data, most=10_000)
        value = parse_body(data)
        assert value == json.loads(data)
        with suppress(RefusedParamsError):
            read_launch_body(value)
    with suppress(MalformedBodyError, RefusedParamsError):
        PARAMS.accept_body(data)


def read_cursors(data: bytes) -> None:
    """A cursor that is taken says where to go on, and is written again as the same place."""
    written = urlsafe_b64encode(data).rstrip(b"=").decode()
    for filters, text in product(FILTERS, (data.decode("latin-1"), written)):
        sources = list_sources(filters)
        with suppress(RefusedParamsError):
            source, position = read_cursor(text, sources, filters, pointer="/query/cursor")
            again = write_cursor(source, position, filters)
            assert (source, position) == read_cursor(again, sources, filters, pointer="/query/cursor")


def read_key(data: bytes) -> None:
    """No bytes are anybody but the key itself; a file of them is keys and issues."""
    assert find_caller(KNOWN, data, now=0) is None or data == KEY.encode()
    is_well_formed(data.decode("latin-1"))
    keys, issues = read_keys(data, file="keys")
    assert all(key_id == key.id for key_id, key in keys.items())
    assert all(KEPT not in str(issue) for issue in issues)


def read_queries(data: bytes) -> None:
    """A query is read, or refused."""
    scope = {"query_string": quote_from_bytes(data, safe="=&%+:-.").encode()}
    for kind in QUERIES:
        with suppress(MalformedBodyError, RefusedParamsError):
            read_query(scope, kind)
    with suppress(MalformedBodyError, RefusedParamsError, InvalidOptionsError):
        read_options(read_query_members(scope), allowed=OPTIONS, strict=False, at="/query")


TARGETS = MappingProxyType(
    {"yaml": read_yaml, "body": read_body, "cursor": read_cursors, "key": read_key, "query": read_queries}
)


def main(target: Callable[[bytes], None]) -> None:
    """Feed one target until libFuzzer has enough."""
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(TARGETS[sys.argv[1]])
