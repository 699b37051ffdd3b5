"""The shape of `tasks.yaml`: one screen of strict structs.

These structs are the single source of the file's structure: the reader converts into them, and the editor schema is
written from them, descriptions included. Semantics (does a default fit its schema?) live in `checks` and `schema`.
"""

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from gateway.config.rates import RateText

MAX_ITEMS = 100
"""How many tags, rules and examples a task type may have."""
RECONCILE_AFTER_S = 10
"""So long a task is in nobody's hands before it counts as lost, unless its type says otherwise."""
CallerOption = Literal["countdown_s", "eta", "expires_s", "priority"]
OnConflict = Literal["reject", "join_existing", "replace"]
Delivery = Literal["at_least_once", "at_most_once"]
WhenUnavailable = Literal["queue", "warn", "reject"]
Schema = dict[str, Any] | bool
"""One JSON Schema 2020-12, as plain data."""

TaskTypeKey = Annotated[
    str,
    Meta(
        max_length=128,
        pattern=r"^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$",
        title="a key of ASCII letters, digits, `_` and `-` in parts joined by dots, at most 128 long",
    ),
]
ParameterName = Annotated[
    str,
    Meta(
        max_length=64,
        pattern="^[A-Za-z][A-Za-z0-9_]*$",
        title="a name of ASCII letters, digits and `_` that begins with a letter, at most 64 long",
    ),
]
SchemaName = Annotated[
    str,
    Meta(
        max_length=64,
        pattern="^[A-Za-z][A-Za-z0-9_.-]*$",
        title="a name of ASCII letters, digits, `_`, `.` and `-` that begins with a letter, at most 64 long",
    ),
]
CeleryName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        title="a Celery name of visible ASCII characters, at most 255 long",
    ),
]
QueueName = Annotated[
    str,
    Meta(
        max_length=128,
        pattern="^[A-Za-z0-9_.:-]+$",
        title="a queue name of ASCII letters, digits and `_.:-`, at most 128 long",
    ),
]
Tag = Annotated[
    str,
    Meta(
        max_length=64,
        pattern="^[a-z0-9][a-z0-9_-]*$",
        title="a tag of small ASCII letters, digits, `_` and `-`, at most 64 long",
    ),
]
RoleName = Annotated[
    str,
    Meta(
        max_length=64,
        pattern="^[a-z][a-z0-9_-]*$",
        title="a role of small ASCII letters, digits, `_` and `-` that begins with a letter, at most 64 long",
    ),
]
Roles = Annotated[tuple[RoleName, ...], Meta(max_length=MAX_ITEMS)] | None
"""Who may; None where nothing is said, and then nobody but `admin`."""
Text = Annotated[str, Meta(min_length=1, max_length=4000)]
Priority = Annotated[int, Meta(ge=0, le=255)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Seconds = Annotated[int, Meta(ge=1, le=31_536_000)]


class FileStruct(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything that is written in the file."""


class Access(FileStruct, frozen=True, kw_only=True):
    """Which roles may do what with a task type; each key by itself, and `admin` always."""

    see: Annotated[Roles, Meta(description="Find it in the catalog; whoever may do anything else may do that too.")] = (
        None
    )
    launch: Annotated[Roles, Meta(description="Launch it, with params of their own.")] = None
    read: Annotated[
        Roles, Meta(description="Follow its tasks: status, history and events, without what they returned.")
    ] = None
    read_result: Annotated[Roles, Meta(description="Read, with the rest, results and errors.")] = None
    revoke: Annotated[Roles, Meta(description="Read, and revoke, its tasks.")] = None
    retry: Annotated[
        Roles,
        Meta(description="Read its tasks, and launch them again as they were; with other params only with `launch`."),
    ] = None


class AdminAccess(FileStruct, frozen=True, kw_only=True):
    """Which roles may do what with the gateway itself; `admin` always."""

    audit: Annotated[Roles, Meta(description="Read who did what.")] = None
    config: Annotated[Roles, Meta(description="Read which tasks.yaml is served, and its issues.")] = None
    metrics: Annotated[Roles, Meta(description="Read the metrics.")] = None
    reload: Annotated[Roles, Meta(description="Have tasks.yaml read again.")] = None
    stats: Annotated[Roles, Meta(description="Read the state of workers and queues.")] = None


class Execution(FileStruct, frozen=True, kw_only=True):
    """How a task is run; `defaults` says it for every task type of its file."""

    queue: Annotated[QueueName | None, Meta(description="Celery queue; the gateway's default queue when left out.")] = (
        None
    )
    priority: Annotated[
        Priority | None,
        Meta(description="Message priority as the broker understands it; on Redis 0 is the most urgent."),
    ] = None
    expires_s: Annotated[
        Seconds | None, Meta(description="A task that no worker has started after so many seconds does not run.")
    ] = None
    time_limit_s: Annotated[Seconds | None, Meta(description="The worker kills the task after so many seconds.")] = None
    soft_time_limit_s: Annotated[
        Seconds | None, Meta(description="The worker raises SoftTimeLimitExceeded in the task after so many seconds.")
    ] = None
    keep_s: Annotated[
        Seconds | None, Meta(description="How long a launch is remembered; seven days when left out.")
    ] = None
    max_queued: Annotated[
        Count | None, Meta(description="Launches are refused while so many messages wait in the queue.")
    ] = None
    rate_limit: Annotated[
        RateText | None,
        Meta(
            description="How often each caller may launch it, as `60/m`: so many in any second, minute, hour or day (s, m, h, d)."
        ),
    ] = None
    delivery: Annotated[
        Delivery | None,
        Meta(
            description="What becomes of a task whose worker died with it: `at_least_once`, as when left out, runs it again, "
            "`at_most_once` ends it as UNKNOWN."
        ),
    ] = None
    when_unavailable: Annotated[
        WhenUnavailable | None,
        Meta(
            description="What a launch does while no live worker would run it: `queue`, as when left out, launches; `warn` "
            "too, and says so in the receipt; `reject` answers 503."
        ),
    ] = None
    reconcile_after_s: Annotated[
        Seconds | None,
        Meta(description="After so many seconds in nobody's hands a task counts as lost; ten when left out."),
    ] = None
    caller_options: Annotated[
        Annotated[tuple[CallerOption, ...], Meta(max_length=len(get_args(CallerOption)))] | None,
        Meta(description="The options that a caller may set at launch; none when left out."),
    ] = None
    access: Annotated[
        Access | None,
        Meta(
            description="Which roles may do what; what neither the task type nor `defaults` says, nobody may but `admin`."
        ),
    ] = None


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

    rule: Annotated[Text, Meta(description="A CEL expression over `params` that must yield true.")]
    message: Annotated[Text, Meta(description="What the caller reads when it does not.")]
    parameter: Annotated[str | None, Meta(description="The parameter to blame; the whole of params when left out.")] = (
        None
    )


class Concurrency(FileStruct, frozen=True, kw_only=True):
    """How many tasks may be under way at once that agree in some parameters."""

    key: Annotated[
        tuple[ParameterName, ...],
        Meta(
            max_length=MAX_ITEMS,
            description="The parameters that tell tasks apart; all tasks of the type share the limit when left out.",
        ),
    ] = ()
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many may be under way, from launch to end.")] = 1
    on_conflict: Annotated[
        OnConflict,
        Meta(
            description="`reject` answers 409 and names the holder, `join_existing` answers with its receipt, `replace` "
            "revokes the oldest one, stopping it if it runs."
        ),
    ] = "reject"
    lease_s: Annotated[
        Seconds,
        Meta(description="A task that ended unseen frees its place after so long; more than any wait and run takes."),
    ] = 3600

    def __str__(self) -> str:
        """Say the policy in a few words."""
        return f"{self.limit} under way per {', '.join(self.key) or 'task type'}, then {self.on_conflict}"


class TaskSpec(Execution, frozen=True, kw_only=True):
    """One entry of `tasks`: a task type as declared."""

    name: Annotated[CeleryName | None, Meta(description="The Celery name; the entry's key when left out.")] = None
    title: Annotated[Text | None, Meta(description="A short title for people.")] = None
    description: Annotated[Text | None, Meta(description="What the task does, for people.")] = None
    tags: Annotated[tuple[Tag, ...], Meta(max_length=MAX_ITEMS, description="Groups of the catalog.")] = ()
    parameters: Annotated[
        dict[ParameterName, Parameter],
        Meta(description="A JSON Schema 2020-12 per parameter, plus `required` (boolean) and `secret`."),
    ] = {}
    rules: Annotated[tuple[Rule, ...], Meta(max_length=MAX_ITEMS, description="Conditions across parameters.")] = ()
    concurrency: Annotated[
        Concurrency | None, Meta(description="A limit to the tasks under way at once; none when left out.")
    ] = None
    examples: Annotated[
        tuple[dict[str, Any], ...], Meta(max_length=MAX_ITEMS, description="Params as a caller may send them.")
    ] = ()
    deprecated: Annotated[bool, Meta(description="Still works, but callers should leave it.")] = False


class TasksFile(FileStruct, frozen=True, kw_only=True):
    """A whole `tasks.yaml`."""

    version: Annotated[Literal[1], Meta(description="The version of this format.")]
    schemas: Annotated[
        dict[SchemaName, Schema], Meta(description='Named JSON Schemas, used by `$ref: "#/schemas/…"`.')
    ] = {}
    roles: Annotated[
        dict[RoleName, Text],
        Meta(description="The roles that API keys and tokens may have here, each with what it is for."),
    ] = {}
    admin: Annotated[AdminAccess, Meta(description="Which roles may do what with the gateway itself.")] = AdminAccess()
    defaults: Annotated[Execution, Meta(description="Execution keys for every task type of this file.")] = Execution()
    tasks: Annotated[dict[TaskTypeKey, TaskSpec], Meta(description="The task types, by their keys.")]
