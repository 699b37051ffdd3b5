"""What is asked when."""

from collections.abc import Iterator

from gateway.backends.observing.questions import METHODS, PULSE_S, Questions


def ask(
    questions: Questions, *, until: float, since: float = 0.0, is_anybody_alive: bool = True
) -> Iterator[tuple[float, str]]:
    """Yield what is asked in some seconds, in turns as the listener takes them; nothing is heard meanwhile."""
    for turn in range(round((until - since) * 10)):
        now = since + turn / 10
        if method := questions.choose(now, is_anybody_alive=is_anybody_alive, silent_s=now):
            yield round(now, 1), method


def test_while_nobody_is_alive_there_are_only_pings() -> None:
    """One at once, and then seldom."""
    asked = list(ask(Questions(refresh_s=1), until=10, is_anybody_alive=False))

    assert {"ping"} == {method for _, method in asked}
    assert [0.0 + PULSE_S * number for number in (1, 2, 3)] == [at for at, _ in asked]


def test_a_round_asks_one_thing_after_the_other() -> None:
    """And the next one comes after the pause."""
    asked = list(ask(Questions(refresh_s=5), until=9))

    rounds = [method for _, method in asked if method != "ping"]
    assert list(METHODS) * 2 == rounds
    assert 5.0 <= next(at for at, method in asked[len(METHODS) :] if method == METHODS[0]) < 6


def test_somebody_new_is_asked_at_once() -> None:
    """With everybody else."""
    questions = Questions(refresh_s=60)
    list(ask(questions, until=2))

    questions.hurry(2)

    assert list(METHODS) == [method for _, method in ask(questions, since=2, until=4) if method != "ping"]


def test_a_heavy_answer_is_asked_for_seldom() -> None:
    """A worker may hold 100,000 scheduled tasks."""
    questions = Questions(refresh_s=1)
    questions.weigh("scheduled", 10_000)

    asked = [method for _, method in ask(questions, until=15)]

    assert 1 == asked.count("scheduled")
    assert 10 < asked.count("active")
