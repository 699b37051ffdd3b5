"""Kill points: named steps of a launch at which a process can be made to die, to prove what survives.

Armed by `TASK_GATEWAY_KILL_AT=step` or `step:n` (the n-th time it is reached), which is no setting: nobody but a test
sets it. Unarmed, a step costs one comparison.
"""

import os
import signal

STEPS = ("received", "before_commit", "sent", "committed", "before_confirm", "confirmed", "cleared", "before_answer")
_STEP, _, _COUNT = os.environ.get("TASK_GATEWAY_KILL_AT", "").partition(":")
_left = int(_COUNT or 1)


def reach(step: str) -> None:
    """Die here, as by SIGKILL, if this step is armed."""
    if step == _STEP:
        _count_down()


def _count_down() -> None:
    global _left  # noqa: PLW0603 - the process dies of it
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
