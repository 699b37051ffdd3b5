"""What a launch does while no live worker would run it, where its task type does not leave that to the queue.

What comes in: prepared launches. What goes out: launches that carry the reason, and outcomes for those that are refused for
it. While nobody knows about the workers, nothing is refused.
"""

from msgspec.structs import replace

from gateway.errors import TaskUnavailableError
from gateway.flows.services import Services
from gateway.launch.launch import Launch
from gateway.launch.offer import Known, Offer
from gateway.stats.availability import judge_availability


def heed(launch: Launch, services: Services) -> Launch:
    """Return a launch with what its caller should know of the workers."""
    if launch.when_unavailable == "queue":
        return launch
    view, now = services.workers.view(), services.clock()
    found = judge_availability(view, name=launch.name, queue=launch.queue, now=now)
    if found.reason is None or found.word == "unknown":
        return launch
    return replace(launch, warnings=(found.reason,))


def find_refusal(launch: Launch) -> TaskUnavailableError | None:
    """Return why a launch that was heeded is not to happen."""
    if launch.when_unavailable != "reject" or not launch.warnings:
        return None
    return TaskUnavailableError(f"{launch.task_type} is not launched now: {launch.warnings[0]}")


async def refuse(offer: Offer, refusal: TaskUnavailableError, services: Services) -> Known | TaskUnavailableError:
    """Refuse an offer, unless one of its keys belongs to an earlier request: that was answered already.

    Raises: LedgerUnavailableError.
    """
    asked = [(number, claim) for number, claim in enumerate(offer.claims) if not claim.is_forced]
    kept = await services.ledger.find_kept([claim.key_digest for _, claim in asked])
    known = (
        Known(remembrance=raw, number=number) for (number, _), raw in zip(asked, kept, strict=True) if raw is not None
    )
    return next(known, refusal)
