"""The shape of `tasks.yaml`: one screen of strict structs.

These structs are the single source of the file's structure: the reader converts into them and the
editor schema is generated from them. Semantics (does a default fit its schema?) live in `checks`
and `schema`.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

CallerOption = Literal["countdown_s", "eta", "expires_s", "priority"]
Schema = dict[str, Any] | bool
"""One JSON Schema 2020-12, as plain data."""

CeleryName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Line = Annotated[str, Meta(min_length=1, max_length=2000)]
Priority = Annotated[int, Meta(ge=0, le=255)]
QueueName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")]
Seconds = Annotated[int, Meta(ge=1, le=31_536_000)]
Tag = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]


class FileStruct(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything that is written in the file."""


class Execution(FileStruct, frozen=True, kw_only=True):
    """How a task is run; `defaults` says it for every task type of the file."""

    queue: QueueName | None = None
    """Celery queue; the gateway's default queue when left out."""
    priority: Priority | None = None
    """Message priority as the broker understands it; on Redis 0 is the most urgent."""
    expires_s: Seconds | None = None
    """A task that no worker has started after so many seconds does not run."""
    time_limit_s: Seconds | None = None
    """The worker kills the task after so many seconds."""
    soft_time_limit_s: Seconds | None = None
    """The worker raises SoftTimeLimitExceeded in the task after so many seconds."""
    keep_s: Seconds | None = None
    """How long the ledger remembers a launch; seven days when left out."""
    caller_options: tuple[CallerOption, ...] | None = None
    """The options that a caller may set at launch; none when left out."""


class Parameter(FileStruct, frozen=True, kw_only=True):
    """One declared input: a JSON Schema, plus what JSON Schema cannot say of an input."""

    schema: Schema
    """The parameter's own schema, without the two keys below."""
    required: bool | None = None
    """None when left out: then it is required unless the schema has a `default`."""
    secret: bool = False
    """The value reaches the worker and nothing else."""


class Rule(FileStruct, frozen=True, kw_only=True):
    """One condition across parameters."""

    rule: Line
    """A CEL expression over `params` that must yield true."""
    message: Line
    """What the caller reads when it does not."""
    parameter: str | None = None
    """The parameter to blame; the whole of params when left out."""


class TaskSpec(Execution, frozen=True, kw_only=True):
    """One entry of `tasks`: a task type as declared."""

    name: CeleryName | None = None
    """The Celery name; the entry's key when left out."""
    title: Line | None = None
    description: Line | None = None
    tags: tuple[Tag, ...] = ()
    parameters: dict[str, Parameter] = {}
    rules: tuple[Rule, ...] = ()
    examples: tuple[dict[str, Any], ...] = ()
    deprecated: bool = False


class TasksFile(FileStruct, frozen=True, kw_only=True):
    """A whole `tasks.yaml`."""

    version: Literal[1]
    schemas: dict[str, Schema] = {}
    """Named schemas, used by `$ref: "#/schemas/…"`."""
    defaults: Execution = Execution()
    tasks: dict[str, TaskSpec]
