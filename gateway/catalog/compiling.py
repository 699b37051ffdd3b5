"""From the file's words to the catalog: every task type compiled, every issue collected.

What comes in: a read `Config`. What goes out: a Catalog, or all issues at once. Nothing is published before every
check has passed.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from gateway.access.rights import VERBS, compile_rights, list_roles
from gateway.catalog.catalog import Catalog
from gateway.catalog.deployment import Deployment, Route
from gateway.catalog.rules import CompiledRule, compile_rule, make_samples
from gateway.catalog.task_type import TaskType
from gateway.config import Config, Path, TaskSpec
from gateway.config.checks import check_keep
from gateway.config.issues import Issues
from gateway.config.model import RECONCILE_AFTER_S
from gateway.config.rates import read_rate
from gateway.errors import Issue, RefusedParamsError
from gateway.schema import ParameterSet, SchemaIssue, check_named, compile_parameters

DIGEST_CHARACTERS = 16


def compile_catalog(config: Config, deployment: Deployment, *, generation: int) -> tuple[Catalog, list[Issue]]:
    """Compile a catalog; with issues it lacks the task types that have them.

    Shape: the issues carry the place of what they blame, in no particular order.
    """
    complaints = check_named(config.schemas)
    issues = Issues()
    issues.add(_blame(config, ("schemas",), complaint) for complaint in complaints)
    broken = frozenset(str(complaint.path[0]) for complaint in complaints)
    task_types: dict[str, TaskType] = {}
    for key, spec in config.tasks.items():
        if issues.is_full:
            break
        issues.add(_check_keep(config, key, spec, deployment))
        params, complaints = compile_parameters(spec.parameters, named=config.schemas, broken=broken, type_name=key)
        issues.add(_blame(config, ("tasks", key, "parameters"), complaint) for complaint in complaints)
        if params is None:
            continue
        rules = list(_compile_rules(config, key, spec, params))
        issues.add(each for each in rules if isinstance(each, Issue))
        sound = tuple(each for each in rules if isinstance(each, CompiledRule))
        task_type = _compile(key, spec, params, sound, deployment)
        issues.add(_check_visibility(config, task_type, deployment))
        issues.add(_check_examples(config, task_type))
        task_types[key] = task_type
    digest = _digest(config)
    longest = max((each.keep_s for each in task_types.values()), default=0)
    catalog = Catalog(
        task_types=task_types,
        digest=digest,
        generation=generation,
        longest_keep_s=longest,
        rate_limit=deployment.rate_limit,
        rights=compile_rights(config.roles, config.tasks, config.admin),
    )
    return catalog, list(issues)


def _compile(
    key: str, spec: TaskSpec, params: ParameterSet, rules: tuple[CompiledRule, ...], deployment: Deployment
) -> TaskType:
    name = spec.name or key
    route = _route(name, spec, deployment)
    return TaskType(
        task_type=key,
        name=name,
        title=spec.title or _make_title(key),
        description=spec.description or "",
        tags=spec.tags,
        params=params,
        rules=rules,
        examples=spec.examples,
        queue=route.queue,
        priority=route.priority if spec.priority is None else spec.priority,
        is_plain=route.is_plain,
        expires_s=spec.expires_s,
        time_limit_s=spec.time_limit_s,
        soft_time_limit_s=spec.soft_time_limit_s,
        keep_s=spec.keep_s or deployment.keep_s,
        max_delay_s=deployment.visibility_timeout_s,
        max_queued=spec.max_queued,
        rate_limit=None if spec.rate_limit is None else read_rate(spec.rate_limit),
        delivery=spec.delivery or "at_least_once",
        when_unavailable=spec.when_unavailable or "queue",
        reconcile_after_s=spec.reconcile_after_s or RECONCILE_AFTER_S,
        concurrency=spec.concurrency,
        caller_options=frozenset(spec.caller_options or ()),
        deprecated=spec.deprecated,
        access={} if spec.access is None else {verb: tuple(sorted(list_roles(spec.access, verb))) for verb in VERBS},
    )


def _route(name: str, spec: TaskSpec, deployment: Deployment) -> Route:
    if deployment.route is not None:
        return deployment.route(name, spec.queue)
    return Route(queue=spec.queue or deployment.default_queue)


def _make_title(key: str) -> str:
    words = key.rpartition(".")[2].replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def _check_keep(config: Config, key: str, spec: TaskSpec, deployment: Deployment) -> Iterator[Issue]:
    """Find a task type that says no `keep_s`, and whose tasks outlive the deployment's."""
    if spec.keep_s is None:
        hint = "say a longer keep_s, or raise GATEWAY_KEEP_S"
        yield from check_keep(config.documents[f"tasks.{key}"], key, spec, keep_s=deployment.keep_s, hint=hint)


def _check_visibility(config: Config, task_type: TaskType, deployment: Deployment) -> Iterator[Issue]:
    limit, longest = task_type.time_limit_s, deployment.visibility_timeout_s
    if limit is not None and longest is not None and limit >= longest:
        yield config.blame(
            ("tasks", task_type.task_type, "time_limit_s"),
            str(limit),
            f"less than the broker's visibility timeout, {longest}: it would hand the running task to a second worker",
            "raise Celery's visibility_timeout, and GATEWAY_VISIBILITY_TIMEOUT_S with it",
        )


def _compile_rules(config: Config, key: str, spec: TaskSpec, params: ParameterSet) -> Iterator[CompiledRule | Issue]:
    if not spec.rules:
        return
    examples = [params.accept(example) for example in spec.examples if not params.find_faults(example)]
    samples = [*make_samples(spec.parameters, config.schemas), *examples]
    for index, rule in enumerate(spec.rules):
        compiled = compile_rule(rule, spec.parameters, samples=samples)
        if isinstance(compiled, CompiledRule):
            yield compiled
        else:
            yield config.blame(("tasks", key, "rules", index, "rule"), compiled.found, compiled.wanted, compiled.hint)


def _check_examples(config: Config, task_type: TaskType) -> Iterator[Issue]:
    for index, example in enumerate(task_type.examples):
        try:
            task_type.accept(example)
        except RefusedParamsError as error:
            for fault in error.faults:
                path = ("tasks", task_type.task_type, "examples", index, *_follow(fault.pointer, example))
                found = f"an example that would be refused: {fault.detail}"
                yield config.blame(path, found, "params that a caller may send")


def _follow(pointer: str, value: Any) -> Iterator[str | int]:
    """Follow a pointer through a value, which alone tells an item from a member that is named like a number."""
    for escaped in pointer.split("/")[1:]:
        step: Any = int(escaped) if isinstance(value, list) else escaped.replace("~1", "/").replace("~0", "~")
        yield step
        value = value[step] if isinstance(value, list) else value.get(step)


def _blame(config: Config, at: Path, complaint: SchemaIssue) -> Issue:
    path = (*at, *complaint.path)
    return config.blame(path, complaint.found, complaint.wanted, complaint.hint, is_key=complaint.is_key)


def _digest(config: Config) -> str:
    all_of_it = [config.schemas, config.tasks, config.roles, config.admin]
    declared = msgspec.json.encode(all_of_it, order="deterministic")
    return sha256(declared).hexdigest()[:DIGEST_CHARACTERS]
