"""Who may do what: what the file gives to roles, compiled into sets, so that a decision is one look-up.

What comes in: the access of each task type, and that of the gateway itself. What goes out: a grant for any roles. What
nobody was given nobody has, except `admin`, who has everything.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct

from gateway.config.model import Access, AdminAccess, TaskSpec
from gateway.config.roles import ADMIN

Verb = Literal["see", "launch", "read", "read_result", "revoke", "retry"]
"""What is done with task types and their tasks."""
Power = Literal["audit", "config", "metrics", "reload", "stats"]
"""What is done with the gateway itself."""
VERBS: Final[tuple[Verb, ...]] = ("see", "launch", "read", "read_result", "revoke", "retry")
POWERS: Final[tuple[Power, ...]] = ("audit", "config", "metrics", "reload", "stats")
GIVEN_BY: Final[Mapping[Verb, tuple[Verb, ...]]] = MappingProxyType(
    {
        "see": VERBS,
        "launch": ("launch",),
        "read": ("read", "read_result", "revoke", "retry"),
        "read_result": ("read_result",),
        "revoke": ("revoke",),
        "retry": ("retry",),
    }
)
"""By which keys of a file each verb is given: what one may revoke one may read, as the answer tells of it."""


class Grant(Struct, frozen=True, kw_only=True):
    """What one caller may do."""

    is_whole: bool = False
    """True for everything, also with tasks whose type the catalog no longer has."""
    task_types: Mapping[Verb, frozenset[str]] = MappingProxyType(dict.fromkeys(VERBS, frozenset()))
    powers: frozenset[str] = frozenset()

    def may(self, verb: Verb, task_type: str) -> bool:
        """Tell whether something may be done with a task type."""
        return self.is_whole or task_type in self.task_types[verb]

    def has(self, power: Power) -> bool:
        """Tell whether something may be done with the gateway itself."""
        return self.is_whole or power in self.powers


WHOLE: Final = Grant(is_whole=True)
NOTHING: Final = Grant()


class Rights(Struct, frozen=True, kw_only=True):
    """What every role may do."""

    grants: Mapping[str, Grant] = MappingProxyType({})
    """By the roles that the file declares."""

    def find(self, roles: Iterable[str]) -> Grant:
        """Return what roles may do together; those that no file declares may do nothing."""
        if ADMIN in (given := frozenset(roles)):
            return WHOLE
        found = [self.grants[role] for role in given if role in self.grants]
        if len(found) == 1:
            return found[0]
        return Grant(
            task_types={verb: frozenset().union(*(each.task_types[verb] for each in found)) for verb in VERBS},
            powers=frozenset().union(*(each.powers for each in found)),
        )


def compile_rights(roles: Iterable[str], tasks: Mapping[str, TaskSpec], admin: AdminAccess) -> Rights:
    """Compile what each declared role may do."""
    return Rights(grants={role: _compile(role, tasks, admin) for role in roles})


def _compile(role: str, tasks: Mapping[str, TaskSpec], admin: AdminAccess) -> Grant:
    accesses = {key: spec.access for key, spec in tasks.items() if spec.access is not None}
    return Grant(
        task_types={
            verb: frozenset(key for key, access in accesses.items() if role in list_roles(access, verb))
            for verb in VERBS
        },
        powers=frozenset(power for power in POWERS if role in (getattr(admin, power) or ())),
    )


def list_roles(access: Access, verb: Verb) -> frozenset[str]:
    """List the roles to which a task type gives a verb, by whatever key of the file."""
    return frozenset().union(*(getattr(access, key) or () for key in GIVEN_BY[verb]))
