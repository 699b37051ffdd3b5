"""A found app as the text of a `tasks.yaml`.

What comes in: what was found. What goes out: a file that the strict reader takes, with a comment wherever a person has to
look.
"""

from collections.abc import Iterator
from typing import Any

from gateway.scaffolding.found import FoundApp, FoundParameter, FoundTask
from gateway.scaffolding.writing import write_entry, write_note, write_text

_HEADING = (
    "Written by `gateway scaffold --app {}` from the tasks that it registers.",
    "A comment marks what a signature does not say. Bounds, examples and titles are yours to add;",
    "`gateway check` tells whether the file holds.",
)


def render(app: FoundApp) -> str:
    """Write the file; tasks are in the order of their keys."""
    return "\n".join(_render(app)) + "\n"


def _render(app: FoundApp) -> Iterator[str]:
    for line in _HEADING:
        yield f"# {write_note(line.format(app.reference))}"
    yield "version: 1"
    if app.default_queue is not None:
        yield from ("", "defaults:", f"  queue: {write_text(app.default_queue)}")
    yield ""
    if app.left_out:
        yield from (f"# Left out: {write_note(each)}." for each in app.left_out)
    yield "tasks:" if app.tasks else "tasks: {}"
    for index, task in enumerate(app.tasks):
        if index:
            yield ""
        yield from _render_task(task)


def _render_task(task: FoundTask) -> Iterator[str]:
    fields = list(_render_fields(task))
    about = task.notes.get("")
    is_empty = all(line.lstrip().startswith("#") for line in fields)
    yield f"  {write_text(task.key)}:{' {}' if is_empty else ''}" + (f"  # {write_note(about)}" if about else "")
    yield from fields


def _render_fields(task: FoundTask) -> Iterator[str]:
    if task.name != task.key:
        yield from write_entry("name", task.name, indent=4)
    if task.description:
        yield from write_entry("description", task.description, indent=4)
    for field in ("queue", "time_limit_s", "soft_time_limit_s"):
        value, note = getattr(task, field), task.notes.get(field, "")
        if value is not None:
            yield from write_entry(field, value, indent=4, note=note)
        elif note:
            yield f"    # {field}: {write_note(note)}"
    note = task.notes.get("parameters", "")
    if task.parameters:
        yield "    parameters:" + (f"  # {write_note(note)}" if note else "")
    elif note:
        yield f"    # parameters: {write_note(note)}"
    for parameter in task.parameters:
        yield from _render_parameter(parameter)


def _render_parameter(parameter: FoundParameter) -> Iterator[str]:
    flags: dict[str, Any] = {"required": False} if parameter.is_optional else {}
    yield from write_entry(parameter.name, {**parameter.schema, **flags}, indent=6, note="; ".join(parameter.notes))
