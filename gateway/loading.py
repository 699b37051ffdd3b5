"""Reading `tasks.yaml` from the disk: the one place that opens it.

What comes in: a path, of a file or of a folder whose `*.yaml` files are read together. What goes out: a compiled
Catalog, or a ConfigError with every issue. It never blocks on what is not a regular file.
"""

import stat
from hashlib import blake2b
from pathlib import Path

from msgspec import Struct

from gateway.catalog.catalog import Catalog
from gateway.catalog.compiling import compile_catalog
from gateway.catalog.deployment import Deployment, RouteTask
from gateway.config import Config, parse, read
from gateway.config.document import AGAIN
from gateway.config.issues import MAX_ISSUES, cut_issues
from gateway.config.rates import read_rate
from gateway.config.text import MAX_BYTES
from gateway.errors import ConfigError, Issue
from gateway.files import NotPlainFileError, read_plain_file
from gateway.settings import Settings, is_redis

Sources = dict[str, bytes]
"""The content of each file, by the name that issues give it."""


def load_catalog(path: Path, deployment: Deployment, *, generation: int = 1) -> Catalog:
    """Load, read and compile.

    Raises: ConfigError with every issue of every file, in the order of their places.
    """
    return compile_sources(read_sources(path), deployment, generation=generation)


def compile_sources(sources: Sources, deployment: Deployment, *, generation: int = 1) -> Catalog:
    """Compile what was read.

    Raises: ConfigError with every issue of every file, in the order of their places.
    """
    catalog, _ = _compile(sources, deployment, generation=generation)
    return catalog


def load_config(path: Path, deployment: Deployment) -> Config:
    """Load what the files say themselves, with the place of everything; it is sound, as `load_catalog` finds it.

    Raises: ConfigError with every issue of every file, in the order of their places.
    """
    _, config = _compile(read_sources(path), deployment, generation=1)
    return config


def _compile(sources: Sources, deployment: Deployment, *, generation: int) -> tuple[Catalog, Config]:
    parsed = [parse(data, file=file) for file, data in sources.items()]
    unsound = [issue for _, issues in parsed for issue in issues]
    documents = [document for document, _ in parsed if document is not None]
    config, issues = read(documents)
    if len(documents) < len(parsed) or len(issues) > MAX_ISSUES:
        raise ConfigError(_arrange(unsound, issues))  # what is missing may well be what was not read
    catalog, more = compile_catalog(config, deployment, generation=generation)
    found = _arrange(unsound, [*issues, *more])
    if found:
        raise ConfigError(found)
    return catalog, config


def _arrange(unsound: list[Issue], issues: list[Issue]) -> tuple[Issue, ...]:
    """Put issues in the order of their places, and leave out what follows from others."""
    # What is not even sound YAML was read as something else; what that leads to says nothing new.
    blamed = {(issue.file, issue.line, issue.column) for issue in unsound}
    found = unsound + [
        issue
        for issue in issues
        if (issue.file, issue.line, issue.column) not in blamed and not issue.path.endswith(AGAIN)
    ]
    once = dict.fromkeys(sorted(found, key=lambda issue: (issue.file, issue.line, issue.column, issue.path)))
    return tuple(cut_issues(list(once)))


def describe_deployment(settings: Settings, *, route: RouteTask | None = None) -> Deployment:
    """Tell what the settings add to the file, and the routes of an existing app."""
    return Deployment(
        route=route,
        default_queue=settings.default_queue,
        keep_s=settings.keep_s,
        rate_limit=read_rate(settings.rate_limit) if settings.rate_limit else None,
        visibility_timeout_s=settings.visibility_timeout_s if is_redis(settings.broker_url) else None,
    )


class Content(Struct, frozen=True):
    """What a path holds at a moment: sources, or why there are none."""

    sources: Sources
    unreadable: ConfigError | None = None

    @property
    def digest(self) -> str:
        """Return what tells this content from any other; what cannot be read is content of its own."""
        digest = blake2b(str(self.unreadable or "").encode(), digest_size=12)
        for name, data in self.sources.items():
            digest.update(b"%d %d %b" % (len(name), len(data), name.encode()))
            digest.update(data)
        return digest.hexdigest()

    def open(self) -> Sources:
        """Return the sources.

        Raises: ConfigError when they could not be read.
        """
        if self.unreadable is not None:
            raise self.unreadable
        return self.sources


def read_content(path: Path) -> Content:
    """Read a file, or every `*.yaml` of a folder, whatever comes of it."""
    try:
        return Content(read_sources(path))
    except ConfigError as error:
        return Content({}, error)


def read_sources(path: Path) -> Sources:
    """Read a file, or every `*.yaml` of a folder.

    Raises: ConfigError when there is nothing to read, or with all that is not a plain file.
    """
    sources: Sources = {}
    issues: list[Issue] = []
    for each in _list_files(path):
        try:
            sources[str(each)] = _read_file(each)
        except ConfigError as error:
            issues += error.issues
    if issues:
        raise ConfigError(tuple(issues))
    return sources


def _list_files(path: Path) -> list[Path]:
    try:
        entries = sorted(path.iterdir())
    except NotADirectoryError:
        return [path]
    except OSError as error:
        raise ConfigError((_blame(path, f"no readable file: {error.strerror}", "a tasks.yaml"),)) from error
    files = [each for each in entries if each.suffix == ".yaml" and not each.name.startswith(".")]
    if not files:
        hint = "rename *.yml to *.yaml" if any(each.suffix == ".yml" for each in entries) else None
        raise ConfigError((_blame(path, "a folder without *.yaml files", "at least one", hint),))
    return files


def _read_file(path: Path) -> bytes:
    try:
        content, mode = read_plain_file(path, max_bytes=MAX_BYTES)
    except NotPlainFileError as error:
        raise ConfigError((_blame(path, "something that is not a regular file", "a tasks.yaml"),)) from error
    except OSError as error:
        raise ConfigError((_blame(path, f"no readable file: {error.strerror}", "a tasks.yaml"),)) from error
    if mode & stat.S_IWOTH:
        hint = f"chmod o-w {path}"
        raise ConfigError((_blame(path, "a file that anybody may write", "one that only its owner may", hint),))
    return content


def _blame(path: Path, found: str, wanted: str, hint: str | None = None) -> Issue:
    return Issue(file=str(path), line=1, column=1, path="", found=found, wanted=wanted, hint=hint)
