"""All files of a gateway as one: defaults applied, names unique, every path traced back to its file.

What comes in: parsed documents. What goes out: a `Config` of what is sound, and every issue of the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.config.checks import check_task
from gateway.config.document import Document, Path
from gateway.config.issues import Issues
from gateway.config.model import Access, AdminAccess, Execution, Schema, TasksFile, TaskSpec
from gateway.config.reading import make_issue, read_file
from gateway.config.roles import check_roles
from gateway.errors import Issue


class Config(Struct, frozen=True, kw_only=True):
    """What all files together declare."""

    tasks: Mapping[str, TaskSpec]
    """By their keys, in the order of the files, with the defaults of their file applied."""
    schemas: Mapping[str, Schema]
    roles: Mapping[str, str] = {}
    """What each role is for."""
    admin: AdminAccess = AdminAccess()
    documents: Mapping[str, Document]
    """The document that declares each name, under `tasks.<key>`, `schemas.<name>` or `roles.<name>`; `admin` alone."""

    def blame(self, path: Path, found: str, wanted: str, hint: str | None = None, *, is_key: bool = False) -> Issue:
        """Make an issue of what a later stage found at a path that begins with `tasks` or `schemas` and a name."""
        return make_issue(self.documents[f"{path[0]}.{path[1]}"], path, found, wanted, hint, is_key=is_key)


def read(documents: Sequence[Document]) -> tuple[Config, list[Issue]]:
    """Read documents into one config; with more than `MAX_ISSUES` issues it is not whole, and nothing is judged by it."""
    issues = Issues()
    homes: dict[str, Document] = {}
    tasks: dict[str, TaskSpec] = {}
    schemas: dict[str, Schema] = {}
    folded: dict[str, str] = {}
    roles: dict[str, str] = {}
    admin = AdminAccess()
    files: list[tuple[Document, TasksFile]] = []
    for document in documents:
        file, broken = read_file(document)
        files.append((document, file))
        issues.add(broken)
        roles |= {name: words for name, words in file.roles.items() if _claim(document, ("roles", name), homes, issues)}
        if file.admin != AdminAccess() and _claim(document, ("admin",), homes, issues):
            admin = file.admin
        schemas |= {
            name: schema for name, schema in file.schemas.items() if _claim(document, ("schemas", name), homes, issues)
        }
        for key, spec in file.tasks.items():
            if issues.is_full:
                break
            if _claim(document, ("tasks", key), homes, issues):
                issues.add(_check_look_alike(document, key, folded, homes))
                tasks[key] = _apply(file, spec)
                issues.add(check_task(document, key, tasks[key]))
    for document, file in files:
        issues.add(check_roles(document, file, roles))
    return Config(tasks=tasks, schemas=schemas, roles=roles, admin=admin, documents=homes), list(issues)


def _claim(document: Document, path: tuple[str, ...], homes: dict[str, Document], issues: Issues) -> bool:
    """Give a name to its document, unless another file has it."""
    home = homes.setdefault(".".join(path), document)
    if home is document:
        return True
    first = home.keys[path]
    wanted = f"each name once; the first is at {home.file}:{first.line}:{first.column}"
    issues.add([make_issue(document, path, "the same name again", wanted, is_key=True)])
    return False


def _check_look_alike(
    document: Document, key: str, folded: dict[str, str], homes: dict[str, Document]
) -> Iterator[Issue]:
    first = folded.setdefault(key.casefold(), key)
    if first != key:
        home = homes[f"tasks.{first}"]
        place = home.keys["tasks", first]
        wanted = f"keys that differ in more than case; `{first}` is at {home.file}:{place.line}:{place.column}"
        yield make_issue(document, ("tasks", key), f"the key `{key}`", wanted, is_key=True)


def _apply(file: TasksFile, spec: TaskSpec) -> TaskSpec:
    """Fill in what the task type leaves to the defaults of its file."""
    given: dict[str, Any] = {
        name: getattr(file.defaults, name)
        for name in Execution.__struct_fields__
        if getattr(spec, name) is None and getattr(file.defaults, name) is not None
    }
    if spec.access is not None and file.defaults.access is not None:
        given["access"] = _join(spec.access, file.defaults.access)
    return msgspec.structs.replace(spec, **given) if given else spec


def _join(access: Access, beneath: Access) -> Access:
    """Fill in the verbs that a task type says nothing of."""
    missing = [name for name in Access.__struct_fields__ if getattr(access, name) is None]
    return msgspec.structs.replace(access, **{name: getattr(beneath, name) for name in missing})
