"""What the workers that are online can do together. Pure."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from gateway.ports.worker import WorkerView


class Fleet(Struct, frozen=True, kw_only=True):
    """The workers that are online, added up."""

    count: int = 0
    queues: Mapping[str, frozenset[str]] = {}
    """The Celery names that those register who consume a queue."""
    names: frozenset[str] = frozenset()
    """The Celery names that anybody registers."""
    untold: tuple[str, ...] = ()
    """Workers that have not said yet what they register and consume."""


def muster(workers: Iterable[tuple[str, WorkerView]]) -> Fleet:
    """Add up what workers said."""
    queues: dict[str, set[str]] = {}
    names: set[str] = set()
    untold: list[str] = []
    count = 0
    for name, worker in workers:
        if not worker.online:
            continue
        count += 1
        if not worker.is_described:
            untold.append(name)
        names.update(worker.registered)
        for queue in worker.queues:
            queues.setdefault(queue, set()).update(worker.registered)
    return Fleet(
        count=count,
        queues={queue: frozenset(each) for queue, each in queues.items()},
        names=frozenset(names),
        untold=tuple(untold),
    )
