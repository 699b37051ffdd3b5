"""Rights: what a file gives to roles, and nothing else."""

from typing import Any

import pytest

from gateway.access.caller import Caller
from gateway.access.explaining import explain_power, explain_verb
from gateway.access.rights import POWERS, VERBS
from gateway.catalog.deployment import Deployment
from gateway.catalog.view import MOST_VIEWS, Views, make_view
from gateway.errors import ConfigError, ForbiddenError, UnknownTaskTypeError
from gateway.loading import compile_sources, load_config

FILE = """\
version: 1
roles: {operators: Do things., viewers: Look on., clerks: Only these.}
admin:
  stats: [viewers]
defaults:
  access:
    launch: [operators]
    read: [viewers]
tasks:
  plain: {}
  own:
    access:
      launch: [clerks]
      revoke: [clerks]
  closed:
    access: {launch: [], read: []}
"""


def see(*roles: str, file: str = FILE) -> Any:
    """Make the view of a caller with roles."""
    catalog = compile_sources({"tasks.yaml": file.encode()}, Deployment())
    return make_view(catalog, Caller(id="key:a", roles=frozenset(roles), kind="key"))


@pytest.mark.parametrize(
    ("roles", "task_type", "verbs"),
    [
        (("operators",), "plain", "see launch"),
        (("viewers",), "plain", "see read"),
        (("operators", "viewers"), "plain", "see launch read"),
        (("clerks",), "plain", ""),
        (("operators",), "own", ""),
        (("viewers",), "own", "see read"),
        (("clerks",), "own", "see launch read revoke"),
        (("operators", "viewers", "clerks"), "closed", ""),
        (("nobody",), "plain", ""),
        ((), "plain", ""),
        (("admin",), "closed", " ".join(VERBS)),
        (("admin",), "gone", " ".join(VERBS)),
    ],
)  # fmt: skip
def test_a_task_type_gives_verbs_to_roles(roles: tuple[str, ...], task_type: str, verbs: str) -> None:
    """Its own words before the defaults, each by itself; what is said nowhere nobody may."""
    view = see(*roles)

    assert verbs.split() == [verb for verb in VERBS if view.may(verb, task_type)]


def test_powers_are_given_too() -> None:
    """And no role has one by itself but admin."""
    assert {"viewers": ["stats"], "operators": [], "admin": list(POWERS)} == {
        role: [power for power in POWERS if see(role).grant.has(power)] for role in ("viewers", "operators", "admin")
    }


def test_what_may_not_be_seen_is_not_there() -> None:
    """Not in the catalog, not as a near miss, and not by another answer than what never was."""
    view = see("clerks")

    assert ["own"] == list(view.catalog.task_types)
    for name in ("plain", "plainn", "nowhere"):
        with pytest.raises(UnknownTaskTypeError) as caught:
            view.require("launch", name)
        assert f"no task type {name!r}" == str(caught.value)


def test_what_may_be_seen_is_refused_by_name() -> None:
    """A sentence that says what is missing."""
    with pytest.raises(ForbiddenError, match=r"^none of your roles may read result own$"):
        see("clerks").require("read_result", "own")


def test_views_are_remembered_for_a_bounded_number_of_roles() -> None:
    """And are each caller's own."""
    views = Views(compile_sources({"tasks.yaml": FILE.encode()}, Deployment()))
    callers = [Caller(id=str(n), roles=frozenset({f"r{n}"}), kind="token") for n in range(MOST_VIEWS + 9)]
    twin = Caller(id="twin", roles=callers[0].roles, kind="token")

    found = [views.find(each) for each in [*callers, callers[0], twin]]

    assert [*callers, callers[0], twin] == [each.caller for each in found]
    assert len(views._seen) <= MOST_VIEWS


@pytest.mark.parametrize(
    ("old", "new", "issue"),
    [
        ("[viewers]\ndefaults", "[veiwers]\ndefaults", "tasks.yaml:4:11: admin.stats.0: found the role `veiwers`, wanted one of admin, clerks, operators, viewers (did you mean `viewers`?)"),
        ("launch: [operators]", "launch: [ops]", "tasks.yaml:7:14: defaults.access.launch.0: found the role `ops`, wanted one of admin, clerks, operators, viewers"),
        ("revoke: [clerks]", "revoke: [clerk]", "tasks.yaml:14:16: tasks.own.access.revoke.0: found the role `clerk`, wanted one of admin, clerks, operators, viewers (did you mean `clerks`?)"),
        ("revoke: [clerks]", "revok: [clerks]", "tasks.yaml:14:7: tasks.own.access.revok: found an unknown key, wanted one of launch, read, read_result, retry, revoke, see (did you mean `revoke`?)"),
        ("roles: {", "roles: {admin: All., ", "tasks.yaml:2:9: roles.admin: found the role `admin`, wanted another one: it is there already"),
        ("launch: [clerks]", "launch: clerks", "tasks.yaml:13:15: tasks.own.access.launch: found clerks, wanted a list"),
    ],
)  # fmt: skip
def test_what_is_given_to_nobody_known_is_an_issue(old: str, new: str, issue: str) -> None:
    """At its place, with the near miss."""
    with pytest.raises(ConfigError) as caught:
        see(file=FILE.replace(old, new))

    assert issue == str(caught.value).replace('"clerks"', "clerks")


def test_the_files_of_a_folder_share_their_roles() -> None:
    """And one of them says what may be done with the gateway itself."""
    other = (
        "version: 1\nroles: {viewers: Again.}\nadmin: {config: [viewers]}\ntasks: {more: {access: {read: [clerks]}}}\n"
    )

    with pytest.raises(ConfigError) as caught:
        compile_sources({"a.yaml": FILE.encode(), "b.yaml": other.encode()}, Deployment())

    assert [
        "b.yaml:2:9: roles.viewers: found the same name again, wanted each name once; the first is at a.yaml:2:32",
        "b.yaml:3:1: admin: found the same name again, wanted each name once; the first is at a.yaml:3:1",
    ] == str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("role", "verb", "task_type", "decision"),
    [
        ("operators", "launch", "plain", (True, "launch is given to operators", "tasks.yaml:7")),
        ("viewers", "launch", "plain", (False, "launch is given to operators", "tasks.yaml:7")),
        ("clerks", "read", "own", (True, "revoke is given to clerks", "tasks.yaml:14")),
        ("clerks", "read_result", "own", (False, "the file gives it to nobody, which leaves admin", None)),
        ("viewers", "launch", "closed", (False, "launch is given to nobody", "tasks.yaml:16")),
        ("admin", "launch", "closed", (True, "the role admin may do everything", None)),
    ],
)  # fmt: skip
def test_a_decision_names_the_line_that_made_it(
    tmp_path: Any, role: str, verb: Any, task_type: str, decision: tuple[bool, str, str | None]
) -> None:
    """Also one of the defaults, and one that gives more than it says."""
    (tmp_path / "tasks.yaml").write_text(FILE)
    config = load_config(tmp_path / "tasks.yaml", Deployment())

    found = explain_verb(config, [role], verb, task_type)

    place = None if found.place is None else found.place.rpartition("/")[2]
    assert decision == (found.is_allowed, found.why, place)
    assert see(role).may(verb, task_type) is found.is_allowed


def test_the_decision_about_a_power_names_its_line(tmp_path: Any) -> None:
    """Or that there is none."""
    (tmp_path / "tasks.yaml").write_text(FILE)
    config = load_config(tmp_path / "tasks.yaml", Deployment())

    found = [explain_power(config, ["viewers"], power) for power in ("stats", "config")]

    assert [True, False] == [each.is_allowed for each in found]
    assert (f"{tmp_path}/tasks.yaml:4", None) == (found[0].place, found[1].place)
