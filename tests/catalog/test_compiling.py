"""Compiling the catalog: what the deployment adds, what it forbids, and the digest of it all."""

import pytest

from gateway.catalog.deployment import Deployment
from gateway.errors import ConfigError
from gateway.loading import compile_sources

REDIS = Deployment(default_queue="main", keep_s=600, visibility_timeout_s=3600)


def compiled(text: str, deployment: Deployment = REDIS, **files: str) -> list[str]:
    """Compile files; return their issues as lines."""
    sources = {"tasks.yaml": text.encode()} | {name: content.encode() for name, content in files.items()}
    try:
        compile_sources(sources, deployment)
    except ConfigError as error:
        return [str(issue) for issue in error.issues]
    return []


@pytest.mark.parametrize(
    ("limit_s", "deployment", "is_sound"),
    [
        pytest.param(3599, REDIS, True, id="under it"),
        pytest.param(3600, REDIS, False, id="at it"),
        pytest.param(7200, Deployment(), True, id="a broker that never hands out again"),
    ],
)
def test_no_task_may_outlive_the_visibility_timeout(limit_s: int, deployment: Deployment, is_sound: bool) -> None:  # noqa: FBT001 - a column
    """Redis would hand the running task to a second worker."""
    issues = compiled(f"version: 1\ntasks:\n  a:\n    time_limit_s: {limit_s}\n    keep_s: 7200\n", deployment)

    assert is_sound == (not issues)
    assert is_sound or issues == [
        f"tasks.yaml:4:19: tasks.a.time_limit_s: found {limit_s}, wanted less than the broker's visibility timeout, 3600: "
        "it would hand the running task to a second worker "
        "(raise Celery's visibility_timeout, and GATEWAY_VISIBILITY_TIMEOUT_S with it)"
    ]


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        pytest.param("expires_s: 300, time_limit_s: 300", None, id="as long"),
        pytest.param("expires_s: 600, keep_s: 601", None, id="a keep_s of its own"),
        pytest.param("expires_s: 601", "3:18: tasks.a.expires_s: found 601, wanted at most keep_s, 600", id="expiry"),
        pytest.param(
            "time_limit_s: 601", "3:21: tasks.a.time_limit_s: found 601, wanted at most keep_s, 600", id="limit"
        ),
        pytest.param(
            "time_limit_s: 300, expires_s: 301",
            "3:37: tasks.a.expires_s: found 301, wanted at most keep_s, 600, less 300 of the other limit",
            id="together",
        ),
    ],
)
def test_no_task_may_outlive_the_retention_of_the_deployment(limits: str, found: str | None) -> None:
    """Where the file says none, the launch is forgotten when the environment says so."""
    why = "the task could outlive its ledger row (say a longer keep_s, or raise GATEWAY_KEEP_S)"

    issues = compiled(f"version: 1\ntasks:\n  a: {{{limits}}}\n")

    assert issues == ([] if found is None else [f"tasks.yaml:{found}: {why}"])


def test_retention_is_judged_beside_parameters_that_are_wrong() -> None:
    """And once, where the defaults of a file say it of several task types."""
    text = "version: 1\ndefaults: {expires_s: 601}\ntasks: {a: {parameters: {n: {type: int}}}, b: {}}"

    assert ["defaults.expires_s", "tasks.a.parameters.n.type"] == [line.split(": ")[1] for line in compiled(text)]


def test_what_the_file_leaves_out_the_deployment_says() -> None:
    """Queue and retention have defaults of the environment."""
    catalog = compile_sources({"t": b"version: 1\ntasks: {a: {}, b: {queue: own, keep_s: 60}}"}, REDIS)

    assert [("main", 600), ("own", 60)] == [(each.queue, each.keep_s) for each in catalog.task_types.values()]


def test_the_digest_is_of_what_is_declared() -> None:
    """Layout and comments do not change it, a bound does."""
    texts = [
        b"version: 1\ntasks: {a: {parameters: {n: {type: integer, minimum: 1}}}}",
        b"# a comment\nversion: 1\ntasks:\n  a:\n    parameters:\n      n: {minimum: 1, type: integer}\n",
        b"version: 1\ntasks: {a: {parameters: {n: {type: integer, minimum: 2}}}}",
    ]

    first, same, other = [compile_sources({"t": text}, REDIS).digest for text in texts]

    assert first == same
    assert first != other


def test_issues_of_every_stage_and_file_come_together_in_the_order_of_their_places() -> None:
    """YAML, structure, schema, default, rule and example: one report."""
    issues = compiled(
        """version: 1
schemas:
  odd: {type: strin}
tasks:
  a:
    keep_s: no
    qeue: x
    parameters:
      n: {type: integer, minimun: 1}
      m: {type: integer, maximum: 3, default: 4}
  b:
    parameters:
      n: {type: integer}
    rules: [{rule: "params.m > 1", message: x}]
    examples: [{n: x}]
""",
        second="version: 1\ntasks: {b: {}}\n",
    )

    assert [
        ("second", 2, "tasks.b"),
        ("tasks.yaml", 3, "schemas.odd.type"),
        ("tasks.yaml", 6, "tasks.a.keep_s"),
        ("tasks.yaml", 7, "tasks.a.qeue"),
        ("tasks.yaml", 9, "tasks.a.parameters.n.minimun"),
        ("tasks.yaml", 10, "tasks.a.parameters.m.default"),
        ("tasks.yaml", 14, "tasks.b.rules.0.rule"),
        ("tasks.yaml", 15, "tasks.b.examples.0.n"),
    ] == [(line.split(":")[0], int(line.split(":")[1]), line.split(": ")[1]) for line in issues]
