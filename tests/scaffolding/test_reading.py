"""An app with every kind of hint, route and limit: what is found, what is written, and that it loads."""

import dataclasses
import datetime as dt
import enum
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, TypedDict, Union

import msgspec
import pydantic
import pytest
from celery import Celery, Task
from kombu import Queue

from gateway.catalog.deployment import Deployment
from gateway.config import parse
from gateway.loading import compile_sources
from gateway.scaffolding.reading import make_key, read_app
from gateway.scaffolding.rendering import render


class Color(enum.Enum):
    """Values that are JSON."""

    RED = "red"
    BLUE = "blue"


class Odd(enum.Enum):
    """Values that are not."""

    A = (1, 2)


@dataclasses.dataclass
class Box:
    """A dataclass."""

    width: int
    label: str | None = None


class Item(TypedDict):
    """A TypedDict."""

    id: str
    count: NotRequired[int]


class Point(msgspec.Struct):
    """A Struct."""

    x: float


class Leaf(pydantic.BaseModel):
    """A model within a model."""

    size: Annotated[int, pydantic.Field(ge=1)] = 1
    path: Annotated[str, pydantic.Field(json_schema_extra={"format": "path", "nullable": True})] = "/"


class Tree(pydantic.BaseModel):
    """A recursive model."""

    leaves: list[Leaf]
    below: Optional["Tree"] = None


class Closed(pydantic.BaseModel, extra="forbid"):
    """A closed model."""


class Broken(pydantic.BaseModel):
    """A model without a schema."""

    call: Callable[[], int]


CompanyId = NewType("CompanyId", str)
NODE = object()
DEEP: list[Any] = []
for _ in range(19):
    DEEP = [DEEP]
ITEM = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["id"],
}
LEAF = {
    "type": "object",
    "description": "A model within a model.",
    "properties": {"size": {"type": "integer", "minimum": 1, "default": 1}, "path": {"type": "string", "default": "/"}},
}
TREE = {
    "type": "object",
    "description": "A recursive model.",
    "properties": {
        "leaves": {"type": "array", "items": {"$ref": "#/$defs/Leaf"}},
        "below": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}], "default": None},
    },
    "required": ["leaves"],
}
POINT = {"type": "object", "description": "A Struct.", "properties": {"x": {"type": "number"}}, "required": ["x"]}
BOX = {
    "type": "object",
    "description": "A dataclass.",
    "properties": {"width": {"type": "integer"}, "label": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}},
    "required": ["width"],
}  # fmt: skip
ANY = "any JSON value is accepted"

HINTS: list[Any] = [
    pytest.param(int, {"type": "integer"}, (), id="int"),
    pytest.param(float, {"type": "number"}, (), id="float"),
    pytest.param(str, {"type": "string"}, (), id="str"),
    pytest.param(bool, {"type": "boolean"}, (), id="bool"),
    pytest.param(None, {"type": "null"}, (), id="None"),
    pytest.param("int", {"type": "integer"}, (), id="a hint in quotes"),
    pytest.param("Missing", {}, (f"the hint Missing cannot be resolved: {ANY}",), id="a hint that names nothing"),
    pytest.param(Any, {}, (f"hinted as Any: {ANY}",), id="Any"),
    pytest.param(object, {}, (f"hinted as object: {ANY}",), id="object"),
    pytest.param(CompanyId, {"type": "string"}, (), id="NewType"),
    pytest.param(int | None, {"type": ["integer", "null"]}, (), id="or None"),
    pytest.param(Union[int, str], {"type": ["integer", "string"]}, (), id="Union"),  # noqa: UP007 - the promise
    pytest.param(int | Any, {}, (f"hinted as Any: {ANY}",), id="or anything"),
    pytest.param(list, {"type": "array"}, (), id="list"),
    pytest.param(list[Any], {"type": "array"}, (f"hinted as Any: {ANY}",), id="list of anything"),
    pytest.param(list[int], {"type": "array", "items": {"type": "integer"}}, (), id="list of int"),
    pytest.param(Sequence[str], {"type": "array", "items": {"type": "string"}}, (), id="Sequence"),
    pytest.param(list[int] | None, {"type": ["array", "null"], "items": {"type": "integer"}}, (), id="list or None"),
    pytest.param(
        list[int] | str, {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "string"}]}, (),
        id="list or str",
    ),
    pytest.param(
        set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        ("the function receives a list, not a set",), id="set",
    ),
    pytest.param(
        tuple[int, ...], {"type": "array", "items": {"type": "integer"}},
        ("the function receives a list, not a tuple",), id="a tuple of any length",
    ),
    pytest.param(
        tuple[int, str],
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False, "minItems": 2},
        ("the function receives a list, not a tuple",), id="a pair",
    ),
    pytest.param(dict, {"type": "object"}, (), id="dict"),
    pytest.param(dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}, (), id="dict of int"),
    pytest.param(Mapping, {"type": "object"}, (), id="Mapping"),
    pytest.param(
        Closed, {"type": "object", "properties": {}, "additionalProperties": False, "description": "A closed model."},
        ("the function receives a dict, unless it makes a Closed of it",), id="a closed model",
    ),
    pytest.param(Mapping[int, Any], {"type": "object"}, ("JSON turns the keys into strings", f"hinted as Any: {ANY}"),
                 id="keys that are no strings"),
    pytest.param(Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}, (), id="Literal"),
    pytest.param(Literal[1, "b"], {"enum": [1, "b"]}, (), id="Literal of two types"),
    pytest.param(Literal["a"] | None, {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}, (),
                 id="Literal or None"),
    pytest.param(Literal["\x00"], {}, (f"its schema cannot be written: {ANY}",), id="a Literal that YAML cannot hold"),
    pytest.param(Literal[b"a"], {}, (f"the hint Literal[b'a'] has no JSON Schema: {ANY}",), id="Literal of bytes"),
    pytest.param(Color, {"type": "string", "enum": ["red", "blue"]}, ("the function receives the value, not a Color",),
                 id="Enum"),
    pytest.param(Odd, {}, ("the function receives the value, not a Odd", f"the hint Odd has no JSON Schema: {ANY}"),
                 id="Enum of tuples"),
    pytest.param(dt.datetime, {"type": "string", "format": "date-time"},
                 ("the function receives a string, not a datetime",), id="datetime"),
    pytest.param(dt.date, {"type": "string", "format": "date"}, ("the function receives a string, not a date",), id="date"),
    pytest.param(uuid.UUID, {"type": "string", "format": "uuid"}, ("the function receives a string, not a UUID",), id="UUID"),
    pytest.param(Annotated[dict[str, Any], []], {"type": "object"}, (f"hinted as Any: {ANY}",), id="a hint without a hash"),
    pytest.param(Literal["\ud800"], {}, (f"its schema cannot be written: {ANY}",), id="a lone surrogate"),
    pytest.param(Decimal, {}, (f"the hint Decimal has no JSON Schema: {ANY}",), id="a class of its own kind"),
    pytest.param(Annotated[int, "months"], {"type": "integer"}, (), id="Annotated"),
    pytest.param(Annotated[int, msgspec.Meta(ge=1)], {"type": "integer", "minimum": 1}, (), id="msgspec's Meta"),
    pytest.param(Annotated[str, msgspec.Meta(pattern="(?=a)")], {},
                 (f"its schema cannot be used, as pattern is the pattern '(?=a)': {ANY}",), id="a pattern with look-ahead"),
    pytest.param(Box, BOX, ("the function receives a dict, unless it makes a Box of it",), id="dataclass"),
    pytest.param(Item, {**ITEM, "description": "A TypedDict."}, (), id="TypedDict"),
    pytest.param(Point, POINT, ("the function receives a dict, unless it makes a Point of it",), id="Struct"),
    pytest.param(
        list[Point], {"type": "array", "items": POINT}, ("the function receives a dict, unless it makes a Point of it",),
        id="Structs",
    ),
    pytest.param(Leaf, LEAF, ("the function receives a dict, unless it makes a Leaf of it",), id="pydantic"),
    pytest.param(
        Tree, {"$ref": "#/$defs/Tree", "$defs": {"Leaf": LEAF, "Tree": TREE}},
        ("the function receives a dict, unless it makes a Tree of it",), id="a recursive model",
    ),
    pytest.param(
        Broken, {},
        ("the function receives a dict, unless it makes a Broken of it", f"the hint Broken has no JSON Schema: {ANY}"),
        id="a model without a schema",
    ),
]  # fmt: skip


def do_nothing() -> None:
    """Do nothing."""


def make_app(function: Callable[..., Any] | None = None, **options: Any) -> Celery:
    """Make an app, with one task `t` of a function."""
    app = Celery("fixture", set_as_current=False)
    app.finalize()
    for name in [each for each in app.tasks if not each.startswith("celery.")]:
        del app.tasks[name]  # every app gets what any other app of this process shares
    if function is not None:
        app.task(name="t", shared=False, **options)(function)
    return app


def write(app: Celery) -> str:
    """Write the file of an app; it must load."""
    text = render(read_app(app, reference="m:app"))
    compile_sources({"tasks.yaml": text.encode()}, Deployment())
    return text


def read_back(app: Celery) -> dict[str, Any]:
    """Write the file of an app and read its one task type."""
    document, _ = parse(write(app).encode(), file="f")
    assert document is not None
    tasks: dict[str, Any] = document.value["tasks"]
    return dict(next(iter(tasks.values())))


@pytest.mark.parametrize(("hint", "schema", "notes"), HINTS)
def test_a_hint_becomes_a_schema_and_notes(hint: Any, schema: dict[str, Any], notes: tuple[str, ...]) -> None:
    """The file says the same, and loads."""

    def run(value: Any) -> None:
        """Do it."""

    run.__annotations__ = {"value": hint}
    app = make_app(run)

    (task,) = read_app(app, reference="m:app").tasks
    (parameter,) = task.parameters

    assert (schema, notes) == (parameter.schema, parameter.notes)
    assert {"value": schema} == read_back(app)["parameters"]


def test_definitions_of_one_name_are_kept_apart() -> None:
    """The second gets a name of its own."""
    other = pydantic.create_model("Tree", below=(Optional["Tree"], None), name=(str, ...))
    other.model_rebuild(_types_namespace={"Tree": other})

    def run(value: Any) -> None:
        """Do it."""

    run.__annotations__ = {"value": Tree | other}

    schema = read_back(make_app(run))["parameters"]["value"]

    assert [{"$ref": "#/$defs/Tree"}, {"$ref": "#/$defs/Tree2"}] == schema["anyOf"]
    assert {"$ref": "#/$defs/Tree2"} == schema["$defs"]["Tree2"]["properties"]["below"]["anyOf"][0]


@pytest.mark.parametrize(
    ("hint", "default", "declared", "note"),
    [
        pytest.param(int, 3, {"type": "integer", "default": 3}, "", id="a number"),
        pytest.param(str, "no", {"type": "string", "default": "no"}, "", id="a word that YAML 1.1 misreads"),
        pytest.param(str, "á\u2028\x85 # :", {"type": "string", "default": "á\u2028\x85 # :"}, "", id="odd characters"),
        pytest.param(int | None, None, {"type": ["integer", "null"], "default": None}, "", id="None"),
        pytest.param(dict, {"a": [1.5, True]}, {"type": "object", "default": {"a": [1.5, True]}}, "", id="a dict"),
        pytest.param(float, 1e-7, {"type": "number", "default": 1e-7}, "", id="a small number"),
        pytest.param(
            int, None, {"type": "integer", "required": False},
            "its default None does not fit its hint, and stays the function's own", id="None without a hint of it",
        ),
        pytest.param(
            float, float("inf"), {"type": "number", "required": False},
            "its default inf is not JSON, and stays the function's own", id="infinity",
        ),
        pytest.param(
            int, 2**63, {"type": "integer", "required": False},
            "its default 9223372036854775808 is not JSON, and stays the function's own", id="beyond 64 bits",
        ),
        pytest.param(dict, {1: 2}, {"type": "object", "required": False},
                     "its default {1: 2} is not JSON, and stays the function's own", id="a key that is no string"),
        pytest.param(list, DEEP, {"type": "array", "required": False},
                     "its default [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]] is not JSON, and stays the function's own",
                     id="too deep"),
        pytest.param(
            str, "\x00", {"type": "string", "required": False},
            "its default '\\x00' is not JSON, and stays the function's own", id="a control character",
        ),
        pytest.param(
            Item, NODE, {"allOf": [{**ITEM, "description": "A TypedDict."}], "required": False},
            f"its default {NODE!r} is not JSON, and stays the function's own", id="an object with required members",
        ),
    ],
)  # fmt: skip
def test_a_default_is_kept_where_it_is_json(hint: Any, default: Any, declared: dict[str, Any], note: str) -> None:
    """Else the parameter may be left out, and a note says why."""

    def run(value: Any = default) -> None:
        """Do it."""

    run.__annotations__ = {"value": hint}
    app = make_app(run)

    (parameter,) = read_app(app, reference="m:app").tasks[0].parameters

    assert {"value": declared} == read_back(app)["parameters"]
    assert (note,) if note else () == parameter.notes


def test_what_cannot_be_sent_is_a_comment() -> None:
    """Positional-only parameters, names that are none, and what is open."""
    app = make_app()

    @app.task(name="t", shared=False, bind=True)
    def run(self: Task, first: int, /, _second: int, third, *rest: int, **more: int) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
        """Do it."""

    assert """\
  t:
    description: "Do it."
    parameters:  # first is positional-only: it cannot be sent as a keyword argument; '_second' is no name for a \
parameter, and is not declared; *rest is not declared: params are sent as keyword arguments; **more is not declared: \
add the parameters that it takes
      third: {}  # no type hint: any JSON value is accepted
""" == write(app).partition("tasks:\n")[2]


def test_a_task_without_anything_to_say_is_an_empty_mapping() -> None:
    """With a comment, and comments below it."""

    def run(*rest: int) -> None: ...

    app = make_app(run, time_limit=-1)

    assert """\
  t: {}  # no docstring: say in `description` what it does
    # time_limit_s: -1 in the app, which is no number of seconds from 1 to a year
    # parameters: *rest is not declared: params are sent as keyword arguments
""" == write(app).partition("tasks:\n")[2]


def test_the_function_is_found_under_what_celery_wraps_around_it() -> None:
    """A bound task that retries by itself."""
    app = make_app()

    @app.task(name="t", shared=False, bind=True, autoretry_for=(OSError,))
    def run(self: Task, months: int = 1) -> None:
        """First line,
        and second.

        Not this.
        """  # noqa: D205

    expected = {"description": "First line, and second.", "parameters": {"months": {"type": "integer", "default": 1}}}
    assert expected == read_back(app)


def test_a_task_that_is_a_class_is_read_by_its_run_method() -> None:
    """Its own docstring is the description."""

    class Sync(Task):  # type: ignore[misc] # Celery ships no types
        """Sync it."""

        name = "t"

        def run(self, year: int) -> None: ...

    app = make_app()
    app.register_task(Sync())

    assert {"description": "Sync it.", "parameters": {"year": {"type": "integer"}}} == read_back(app)


@pytest.mark.filterwarnings("ignore:(?s).*The 'queue' task attribute is deprecated")
@pytest.mark.parametrize(
    ("options", "expected", "comment"),
    [
        pytest.param({"time_limit": 60, "soft_time_limit": 30.5}, {"time_limit_s": 60, "soft_time_limit_s": 31}, "", id="both"),
        pytest.param(
            {"time_limit": 60, "soft_time_limit": 60}, {"time_limit_s": 60},
            "# soft_time_limit_s: 60 in the app, which is not less than its time limit", id="soft not below hard",
        ),
        pytest.param(
            {"time_limit": 7200}, {"time_limit_s": 7200},
            "time_limit_s: 7200  # on Redis it must be less than the visibility timeout, GATEWAY_VISIBILITY_TIMEOUT_S",
            id="beyond the visibility timeout",
        ),
        pytest.param({"queue": "own"}, {"queue": "own"}, "", id="a queue"),
        pytest.param({"queue": Queue("own")}, {"queue": "own"}, "", id="Kombu's queue"),
        pytest.param({"queue": "a b"}, {}, "# queue: 'a b' in the app, which is no name of a queue here", id="an odd queue"),
    ],
)  # fmt: skip
def test_options_of_a_task_are_kept(options: dict[str, Any], expected: dict[str, Any], comment: str) -> None:
    """In our words and units."""

    def run() -> None:
        """Do it."""

    app = make_app(run, **options)

    assert {"description": "Do it.", **expected} == read_back(app)
    assert comment in write(app)


@pytest.mark.parametrize(
    ("routes", "queue"),
    [
        pytest.param({"sii.*": {"queue": "sii"}}, "sii", id="glob"),
        pytest.param({"sii.sync": "exact", "sii.*": "glob"}, "exact", id="an exact name first"),
        pytest.param({"sii.*": "first", "*": "second"}, "first", id="the first pattern"),
        pytest.param({"other.*": "o"}, None, id="none that matches"),
        pytest.param([{"other": "o"}, {"sii.*": "later"}], "later", id="a list"),
        pytest.param([[("sii.*", {"queue": Queue("pairs")})]], "pairs", id="pairs"),
        pytest.param({re.compile(r"sii\.s"): "regex"}, "regex", id="a regular expression"),
        pytest.param([{"sii.*": {"priority": 3}}, {"*": "later"}], None, id="a route without a queue"),
        pytest.param(lambda *_args, **_options: "code", None, id="a function"),
    ],
)
def test_a_queue_is_found_as_celery_finds_it(routes: Any, queue: str | None) -> None:
    """Proved against Celery's own router, except for functions, which are not called."""
    app = make_app()
    app.conf.task_routes = routes
    app.task(name="sii.sync", shared=False)(do_nothing)

    routed = app.amqp.router.route({}, "sii.sync").get("queue", Queue("celery")).name

    assert queue == read_back(app).get("queue")
    assert routed == (queue or ("code" if callable(routes) else "celery"))
    assert callable(routes) is ("# queue: a router function decides the queue" in write(app))


def test_a_function_that_hides_its_signature_is_said_to() -> None:
    """And has no parameters."""
    app = make_app(do_nothing)
    app.tasks["t"].run = type("Hidden", (), {"__doc__": "Do it.", "__signature__": 1, "__call__": print})()

    assert "    # parameters: its function has no signature that can be read\n" in write(app)


def test_a_default_queue_of_the_app_is_everybodys_default() -> None:
    """Written once."""
    app = make_app(do_nothing)
    app.conf.task_default_queue = "main"

    assert "version: 1\n\ndefaults:\n  queue: main\n\ntasks:\n" in write(app)


def test_names_that_are_no_keys_are_kept_as_names() -> None:
    """In a stable order; a name that Celery alone could send is left out, and said to be."""
    app = make_app()
    for name in ("Pkg.run", "pkg.run", "1.a", "a b", "pkg/run"):
        app.task(name=name, shared=False)(do_nothing)

    text = write(app)

    document, _ = parse(text.encode(), file="f")
    assert document is not None
    assert {"Pkg.run": None, "pkg.run_2": "pkg.run", "pkg_run": "pkg/run", "task_1.a": "1.a"} == {
        key: each.get("name") for key, each in document.value["tasks"].items()
    }
    assert ["Pkg.run", "pkg.run_2", "pkg_run", "task_1.a"] == list(document.value["tasks"])
    assert "# Left out: the task 'a b', whose name is not one of printable ASCII without spaces.\ntasks:\n" in text


@pytest.mark.parametrize(
    ("name", "key"),
    [
        pytest.param("a.b", "a.b", id="sound"),
        pytest.param("a..b", "a._.b", id="an empty part"),
        pytest.param("batch", "batch_2", id="a route of its own"),
        pytest.param("x" * 200, "x" * 120, id="too long"),
    ],
)
def test_a_key_is_made_of_any_name(name: str, key: str) -> None:
    """And is sound."""
    assert key == make_key(name, taken=())


def test_an_app_without_tasks_is_an_empty_mapping() -> None:
    """Which loads."""
    assert write(make_app()).endswith("version: 1\n\ntasks: {}\n")
