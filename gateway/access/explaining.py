"""Why somebody may do something, or may not: the decision with the line of the file that made it."""

from collections.abc import Iterable

from msgspec import Struct

from gateway.access.rights import GIVEN_BY, Power, Verb
from gateway.config import Config, Document, Path
from gateway.config.roles import ADMIN


class Decision(Struct, frozen=True, kw_only=True):
    """What was decided."""

    is_allowed: bool
    why: str
    place: str | None = None
    """File and line of what decided; None where no line did."""


class _Gift(Struct, frozen=True):
    """One key of the file that gives something to roles."""

    document: Document
    path: Path
    roles: tuple[str, ...]

    @property
    def place(self) -> str | None:
        place = self.document.keys.get(self.path)
        return None if place is None else f"{self.document.file}:{place.line}"


def explain_verb(config: Config, roles: Iterable[str], verb: Verb, task_type: str) -> Decision:
    """Decide whether roles may do something with a task type, and say why."""
    document, access = config.documents[f"tasks.{task_type}"], config.tasks[task_type].access
    gifts = (_find_gift(document, task_type, key, getattr(access, key, None)) for key in GIVEN_BY[verb])
    return _decide(frozenset(roles), [each for each in gifts if each is not None])


def explain_power(config: Config, roles: Iterable[str], power: Power) -> Decision:
    """Decide whether roles may do something with the gateway itself, and say why."""
    said: tuple[str, ...] | None = getattr(config.admin, power)
    gifts = [] if said is None else [_Gift(config.documents["admin"], ("admin", power), said)]
    return _decide(frozenset(roles), gifts)


def _find_gift(document: Document, task_type: str, key: str, roles: tuple[str, ...] | None) -> _Gift | None:
    """Find where the file says a key of `access`: at the task type itself, or among the defaults."""
    if roles is None:
        return None
    own: Path = ("tasks", task_type, "access", key)
    return _Gift(document, own if own in document.keys else ("defaults", "access", key), roles)


def _decide(roles: frozenset[str], gifts: list[_Gift]) -> Decision:
    if ADMIN in roles:
        return Decision(is_allowed=True, why=f"the role {ADMIN} may do everything")
    for gift in gifts:
        if lucky := sorted(roles.intersection(gift.roles)):
            why = f"{gift.path[-1]} is given to {', '.join(lucky)}"
            return Decision(is_allowed=True, why=why, place=gift.place)
    return _deny(gifts)


def _deny(gifts: list[_Gift]) -> Decision:
    if not gifts:
        return Decision(is_allowed=False, why=f"the file gives it to nobody, which leaves {ADMIN}")
    words = ", ".join(_say(gift) for gift in gifts)
    return Decision(is_allowed=False, why=words, place=gifts[0].place)


def _say(gift: _Gift) -> str:
    return f"{gift.path[-1]} is given to {', '.join(gift.roles) or 'nobody'}"
