"""The names of the ledger's keys, behind the configured prefix; every one of them expires, or says why not.

| key | type | holds | until |
| --- | --- | --- | --- |
| `task:<id>` | string | the launch as it was recorded | `keep_s` of its task type |
| `end:<id>` | string | how the task ended | as its row |
| `run:<id>` | string | what events told of its run | as its row |
| `claim:<id>` | string | who runs it, by a worker with the kit: until when, the run's token, retries, the worker | as its row; deleted at the end of the run |
| `revoke:<id>` | string | the wish that it not run | as its row |
| `uncounted` | list | tasks whose end a worker wrote down itself, until a gateway counts it; the newest 100,000 | a day |
| `revoked` | sorted set | revokes of which nobody knows yet that they hold, by time; the newest 10,000 | as the longest row |
| `chain:<id>` | string | the ids of its retries, one behind the other | `keep_s` of the last of them |
| `open` | sorted set | launches whose end nobody has seen, by id, that is by time | the longest `keep_s` after the last launch |
| `ended:<status>` | sorted set | tasks that ended otherwise than in SUCCESS, by id | as the row that lives longest |
| `history` | stream | every launch, by time; an entry holds the ids of up to 16 | the longest `keep_s`, entries too |
| `history:type:<task_type>` | stream | those of a task type | `keep_s`, entries too |
| `history:batch:<id>` | stream | those of a batch | `keep_s` |
| `log:<id>` | stream | what happened to a task that somebody follows | ten minutes after the last follower |
| `feed` | stream | every status of every task, while somebody follows that | as the logs |
| `streams` | sorted set | the tasks that are followed, by until when | as the logs |
| `key:<digest>` | string | an idempotency key and its receipt | 24 hours |
| `slot:<name>` | sorted set | who holds the places of a limit | the last lease |
| `rate:<quota>` | hash | launches under a quota, by the hundredth of its period | the period after the last launch |
| `outbox`, `outbox:<id>` | sorted set, strings | messages that wait for a broker that is away | until the broker has them |
| `totals` | hash | for `<task_type>|launched` and `<task_type>|<status>` how many there were ever | for good: a few fields for each task type that there ever was |
| `probe` | string | nothing: readiness writes it | a minute |
| `workers` | sorted set | workers by when they were last heard of | seven days after the last word |
| `kits` | sorted set | workers with the kit, by until when their word holds | the last of these |
| `observer`, `observer:fence` | strings | the lease of whoever notes the events of tasks, its last token | the lease; for good |
| `audit` | stream | who did what; about `GATEWAY_AUDIT_LIMIT` entries, the newest | a year after the last |
| `identity` | string | the key behind the task ids | for good: every id ever given depends on it |
| `sweeper`, `settler`, `reconciler` | strings | the leases of the outbox's sweeper, of the settler and of the reconciler | the lease |
| `sweeper:fence`, `settler:fence`, `reconciler:fence` | strings | their last tokens | for good: tokens must only grow |
"""

ID_CHARACTERS = 36
LAUNCHED = "launched"
"""Stands for a launch where the others are statuses."""


def entry_key(prefix: str, task_id: str) -> str:
    """Return the key of a launch's entry."""
    return f"{prefix}task:{task_id}"


def change_channel(prefix: str, task_id: str) -> str:
    """Return the channel on which the ledger tells that something about a task has changed."""
    return f"{prefix}change:{task_id}"


def split_ids(raw: bytes | None) -> tuple[str, ...]:
    """Read ids that stand one behind the other, as in a chain or in an entry of a history."""
    text = (raw or b"").decode("ascii")
    return tuple(text[at : at + ID_CHARACTERS] for at in range(0, len(text), ID_CHARACTERS))


def total_field(task_type: str) -> str:
    """Return the field of the totals that counts the launches of a task type."""
    return f"{task_type}|{LAUNCHED}"


def split_total(field: bytes) -> tuple[str, str]:
    """Read a field of the totals: the task type, and what is counted of it."""
    task_type, _, what = field.decode(errors="replace").rpartition("|")
    return task_type, what
