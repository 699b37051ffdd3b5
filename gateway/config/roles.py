"""Roles: each one that a file gives something to is one that a file declares, or `admin`, which is always there."""

from collections.abc import Collection, Iterator

from gateway.config.document import Document, Path
from gateway.config.model import Access, AdminAccess, TasksFile
from gateway.config.reading import make_issue
from gateway.config.words import list_choices, suggest
from gateway.errors import Issue

ADMIN = "admin"
"""The role that may do everything; it is there without being declared, and no file can take anything from it."""


def check_roles(document: Document, file: TasksFile, declared: Collection[str]) -> Iterator[Issue]:
    """Find what a file gives to roles that none declares; `declared` are those of all files."""
    if ADMIN in file.roles:
        yield make_issue(
            document, ("roles", ADMIN), f"the role `{ADMIN}`", "another one: it is there already", is_key=True
        )
    known = {*declared, ADMIN}
    yield from _check(document, ("admin",), file.admin, known)
    if file.defaults.access is not None:
        yield from _check(document, ("defaults", "access"), file.defaults.access, known)
    for key, spec in file.tasks.items():
        if spec.access is not None:
            yield from _check(document, ("tasks", key, "access"), spec.access, known)


def _check(document: Document, path: Path, access: Access | AdminAccess, known: Collection[str]) -> Iterator[Issue]:
    for name in access.__struct_fields__:
        for index, role in enumerate(getattr(access, name) or ()):
            if role not in known:
                wanted = f"one of {list_choices(known)}"
                yield make_issue(document, (*path, name, index), f"the role `{role}`", wanted, suggest(role, known))
