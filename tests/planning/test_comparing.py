"""Two versions of a file: each change, whom it concerns, and whether it breaks."""

import msgspec
import pytest

from gateway.config import Config, parse, read
from gateway.planning import Change, compare
from gateway.planning.rendering import render

OPEN = "t: {parameters: {p: %s}}"
RULED = 't: {parameters: {p: %s}, rules: [{rule: "params.p < 9", message: m}]}'


def load(tasks: str, schemas: str = "{}") -> Config:
    """Read the tasks of a file."""
    content = "\n  ".join(tasks.splitlines())
    document, issues = parse(f"version: 1\nschemas: {schemas}\ntasks:\n  {content}\n".encode(), file="f")
    assert document is not None
    config, more = read([document])
    assert [] == [*issues, *more]
    return config


def show(changes: tuple[Change, ...]) -> list[str]:
    """Write each change in one line."""
    return [f"{each.verdict} {each.audience} {each.kind} {each.path}: {each.detail}" for each in changes]


ROWS = [
    pytest.param("a: {}", "a: {}\nb: {}", ["safe callers added : a new task type"], id="task type added"),
    pytest.param("a: {}\nb: {}", "a: {}", ["breaking callers removed : the task type is gone"], id="task type removed"),
    pytest.param(
        "a: {}", "b: {name: a}",
        ["breaking callers removed : the task type is gone; `b` launches the same task",
         "safe callers added : a new task type"], id="key renamed",
    ),
    pytest.param(
        "a: {}", "a: {name: b}",
        ["breaking workers changed name: from a to b: a worker that registers only the old name refuses the task"],
        id="name",
    ),
    pytest.param("a: {}", "a: {name: a}", [], id="a name that is the key"),
    pytest.param(
        "a: {}", "a: {queue: x}", ["breaking workers changed queue: from celery to x: workers may not consume it"],
        id="queue",
    ),
    pytest.param("a: {}", "a: {queue: celery}", [], id="the default queue by its name"),
    pytest.param("a: {}", "a: {delivery: at_least_once}", [], id="the default delivery by its name"),
    pytest.param(
        "a: {}",
        "a: {delivery: at_most_once}",
        ["breaking callers changed delivery: from at_least_once to at_most_once: a task whose worker died was run again"],
        id="at most once",
    ),
    pytest.param(
        "a: {delivery: at_most_once}",
        "a: {}",
        [
            "breaking workers changed delivery: from at_most_once to at_least_once: a task may run twice, and has to bear "
            "it"
        ],
        id="at least once again",
    ),
    pytest.param("a: {}", "a: {priority: 3}", ["safe nobody changed priority: from none to 3"], id="priority"),
    pytest.param(
        "a: {expires_s: 60}", "a: {expires_s: 30}",
        ["breaking callers narrowed expires_s: from 60 to 30: tasks that waited longer were still run"], id="expiry",
    ),
    pytest.param(
        "a: {}", "a: {time_limit_s: 30}",
        ["breaking workers narrowed time_limit_s: from none to 30: tasks that ran longer were not killed"], id="limit",
    ),
    pytest.param("a: {time_limit_s: 30}", "a: {}", ["safe workers widened time_limit_s: from 30 to none"], id="no limit"),
    pytest.param(
        "a: {when_unavailable: warn}", "a: {when_unavailable: reject}",
        ["breaking callers narrowed when_unavailable: from warn to reject: launches were taken while no live worker would "
         "run them"], id="reject",
    ),
    pytest.param(
        "a: {when_unavailable: reject}", "a: {}",
        ["safe callers widened when_unavailable: from reject to queue"], id="no longer reject",
    ),
    pytest.param(
        "a: {}", "a: {when_unavailable: warn}", ["safe callers changed when_unavailable: from queue to warn"], id="warn",
    ),
    pytest.param(
        "a: {}", "a: {keep_s: 60}",
        ["breaking callers narrowed keep_s: from 604800 to 60: tasks that finished earlier could still be read"],
        id="kept for less time",
    ),
    pytest.param(
        "a: {caller_options: [eta]}", "a: {caller_options: [priority]}",
        ["breaking callers removed caller_options: `eta` is refused now",
         "safe callers added caller_options: `priority` may be set"], id="caller options",
    ),
    pytest.param(
        "a: {}", "a: {title: A, description: B, tags: [c], examples: [{}], deprecated: true}",
        ["safe nobody changed title: changed", "safe nobody changed description: changed",
         "safe nobody changed tags: changed", "safe nobody changed examples: changed",
         "safe nobody changed deprecated: now true"], id="words",
    ),
    pytest.param(
        "a: {}", "a: {parameters: {p: {type: integer}}}",
        ["breaking callers added parameters.p: a new required parameter",
         "breaking workers added parameters.p: always sent now: a worker that does not know it fails"],
        id="required parameter added",
    ),
    pytest.param(
        "a: {}", "a: {parameters: {p: {default: 1}}}",
        ["breaking workers added parameters.p: always sent now, by its default: a worker that does not know it fails",
         "safe callers added parameters.p: a new parameter, 1 when left out"], id="parameter with a default added",
    ),
    pytest.param(
        "a: {}", "a: {parameters: {p: {default: 1, secret: true}}}",
        ["breaking workers added parameters.p: always sent now, by its default: a worker that does not know it fails",
         "safe callers added parameters.p: a new parameter, a secret when left out"], id="a secret default added",
    ),
    pytest.param(
        "a: {}", "a: {parameters: {p: {required: false}}}",
        ["safe callers added parameters.p: a new optional parameter",
         "safe workers added parameters.p: safe until a caller sends it: a worker that does not know it fails then"],
        id="optional parameter added",
    ),
    pytest.param(
        "a: {parameters: {p: {}}}", "a: {}",
        ["breaking callers removed parameters.p: the parameter is refused now",
         "breaking workers removed parameters.p: no longer sent: a worker whose function needs it fails"],
        id="parameter removed",
    ),
    pytest.param(
        "a: {parameters: {p: {required: false}}}", "a: {}",
        ["breaking callers removed parameters.p: the parameter is refused now",
         "safe workers removed parameters.p: no longer sent: it could be left out before"],
        id="optional parameter removed",
    ),
    pytest.param(
        OPEN % "{required: false}", OPEN % "{}", ["breaking callers narrowed parameters.p.required: became required"],
        id="became required",
    ),
    pytest.param(
        OPEN % "{}", OPEN % "{required: false}",
        ["safe callers widened parameters.p.required: may be left out",
         "safe workers widened parameters.p.required: safe until a caller leaves it out: a worker whose function needs "
         "it fails then"], id="became optional",
    ),
    pytest.param(OPEN % "{}", OPEN % "{default: 1}", ["safe callers widened parameters.p.required: may be left out"],
                 id="became optional, with a default"),
    pytest.param(
        OPEN % "{default: 1}", OPEN % "{}", ["breaking callers narrowed parameters.p.required: became required"],
        id="default removed, and so required",
    ),
    pytest.param(
        OPEN % "{default: 1}", OPEN % "{required: false}",
        ["breaking callers removed parameters.p.default: 1 is no longer filled in when it is left out",
         "breaking workers removed parameters.p.default: missing now when it is left out: a worker whose function needs "
         "it fails"], id="default removed",
    ),
    pytest.param(
        OPEN % "{default: 1}", OPEN % "{default: 2}",
        ["safe callers changed parameters.p.default: from 1 to 2 when it is left out"], id="default changed",
    ),
    pytest.param(
        RULED % "{type: integer, default: 1}", RULED % "{type: integer, default: 2}",
        ["breaking callers changed parameters.p.default: from 1 to 2 when it is left out, and a rule may refuse that"],
        id="default under a rule",
    ),
    pytest.param(
        OPEN % "{}", OPEN % "{secret: true}",
        ["safe nobody changed parameters.p.secret: kept to the worker from now on"], id="secret",
    ),
    pytest.param(
        OPEN % "{title: A}", OPEN % "{description: B}",
        ["safe nobody changed parameters.p.title: changed", "safe nobody changed parameters.p.description: changed"],
        id="a parameter's words",
    ),
    pytest.param(OPEN % "{x-a: 1}", OPEN % "{x-a: 2}", ["safe nobody changed parameters.p: said in other words"],
                 id="a word of one's own"),
    pytest.param(
        OPEN % "{properties: {q: {default: 1}}}", OPEN % "{properties: {q: {}}}",
        ["breaking callers removed parameters.p.properties.q.default: 1 is no longer filled in when it is left out",
         "breaking workers removed parameters.p.properties.q.default: 1 is no longer filled in when it is left out"],
        id="default within an object removed",
    ),
    pytest.param(
        OPEN % "{items: {properties: {q: {default: 1}}}}", OPEN % "{items: {properties: {q: {default: 2}}}}",
        ["safe callers changed parameters.p.items.properties.q.default: 2 is filled in when it is left out"],
        id="default within an item changed",
    ),
    pytest.param(
        RULED % "{properties: {q: {}}}", RULED % "{properties: {q: {default: 1}}}",
        ["breaking callers added parameters.p.properties.q.default: 1 is filled in when it is left out, and a rule may "
         "refuse that"], id="default within an object under a rule",
    ),
    pytest.param(
        OPEN % "{secret: true, properties: {q: {default: 1}}}", OPEN % "{secret: true, properties: {q: {default: 2}}}",
        ["safe callers changed parameters.p.properties.q.default: a secret is filled in when it is left out"],
        id="default within a secret",
    ),
    pytest.param(
        't: {rules: [{rule: "size(params) == 0", message: m}]}',
        't: {parameters: {p: {default: 1}}, rules: [{rule: "size(params) == 0", message: m}]}',
        ["breaking callers added parameters.p: a new parameter, 1 when left out, and a rule may refuse that",
         "breaking workers added parameters.p: always sent now, by its default: a worker that does not know it fails"],
        id="a default under a rule over all params",
    ),
    pytest.param(
        't: {parameters: {p: {}}, rules: [{rule: "params.p", message: m}]}', "t: {parameters: {p: {}}}",
        ["safe callers removed rules: a rule is gone: params.p"], id="rule removed",
    ),
    pytest.param(
        "t: {parameters: {p: {}}}", 't: {parameters: {p: {}}, rules: [{rule: "params.p", message: m}]}',
        ["breaking callers added rules: a new rule: params.p"], id="rule added",
    ),
    pytest.param(
        't: {parameters: {p: {}}, rules: [{rule: "params.p", message: m}]}',
        't: {parameters: {p: {}}, rules: [{rule: "params.p", message: n}]}',
        ["safe nobody changed rules: other words for: params.p"], id="message of a rule",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), ROWS)
def test_each_change_has_a_verdict_and_an_audience(old: str, new: str, expected: list[str]) -> None:
    """What breaks stands first."""
    assert expected == show(compare(load(old), load(new)))


@pytest.mark.parametrize("content", [*(row.values[0] for row in ROWS), *(row.values[1] for row in ROWS)])
def test_a_file_does_not_differ_from_itself(content: object) -> None:
    """Not even where defaults, rules or references are."""
    assert () == compare(load(str(content)), load(str(content)))


def test_a_named_schema_that_changes_shows_at_every_task_type_that_uses_it() -> None:
    """However deep the reference is."""
    tasks = 'a: {parameters: {p: {$ref: "#/schemas/id"}}}\nb: {parameters: {q: {items: {$ref: "#/schemas/id"}}}}\nc: {}'

    changes = compare(load(tasks, "{id: {maxLength: 9}}"), load(tasks, "{id: {maxLength: 5}}"))

    assert [("a", "parameters.p.maxLength"), ("b", "parameters.q.items.maxLength")] == [
        (each.task_type, each.path) for each in changes
    ]


def test_the_text_is_grouped_and_ends_with_a_sum() -> None:
    """One block for each task type."""
    changes = compare(load("a: {}\nb: {}"), load("a: {queue: x, title: A}\nc: {}"))

    assert [
        "a",
        "  breaks workers    queue: from celery to x: workers may not consume it",
        "  safe              title: changed",
        "",
        "b",
        "  breaks callers    the task type is gone",
        "",
        "c",
        "  safe for callers  a new task type",
        "",
        "4 changes: 1 breaking for callers, 1 breaking for workers already running.",
    ] == render(changes).splitlines()


@pytest.mark.parametrize(
    ("new", "last"),
    [
        pytest.param("a: {}", "Nothing changes.", id="nothing"),
        pytest.param("a: {priority: 1}", "1 change, nothing breaks.", id="safe"),
        pytest.param("a: {queue: b}", "1 change: 1 breaking for workers already running.", id="workers"),
        pytest.param("a: {keep_s: 9}", "1 change: 1 breaking for callers.", id="callers"),
    ],
)
def test_the_last_line_says_for_whom_it_breaks(new: str, last: str) -> None:
    """Or that it does not."""
    assert last == render(compare(load("a: {}"), load(new))).splitlines()[-1]


def test_a_recursive_schema_with_many_branches_is_compared_once() -> None:
    """In no time, and each change is named where it is met first."""
    branches = ", ".join(f'b{index}: {{$ref: "#/schemas/n"}}' for index in range(12))
    schemas = "{n: {properties: {size: {maximum: %d, title: %s}, " + branches + "}}}"
    tasks = 't: {parameters: {p: {$ref: "#/schemas/n"}}}'

    changes = compare(load(tasks, schemas % (5, "A")), load(tasks, schemas % (9, "B")))

    assert [
        "safe callers widened parameters.p.properties.size.maximum: from 5 to 9",
        "safe nobody changed parameters.p.properties.size.title: changed",
    ] == show(changes)


def test_references_in_a_circle_end() -> None:
    """They say nothing."""
    tasks = 't: {parameters: {p: {$ref: "#/schemas/a", required: true}}}'
    old, new = ({"a": {"$ref": "#/schemas/b"}, "b": {"$ref": "#/schemas/a", "x-n": n}} for n in (1, 2))
    spec = load(tasks, "{a: {}}").tasks["t"]

    changes = compare(*(Config(tasks={"t": spec}, schemas=each, documents={}) for each in (old, new)))

    assert () == changes


def test_a_change_is_a_frozen_value() -> None:
    """It can be encoded as it is."""
    change = compare(load("a: {}"), load("a: {}\nb: {}"))[0]

    expected = {
        "task_type": "b", "path": "", "kind": "added", "audience": "callers", "verdict": "safe",
        "detail": "a new task type",
    }  # fmt: skip
    assert expected == msgspec.to_builtins(change)
    with pytest.raises(AttributeError):
        change.path = "a"  # type: ignore[misc] # the promise
