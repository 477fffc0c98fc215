"""D-MHE with real processes: a node is killed at every step of the protocol, a second while others recover.

A node sends each kind of message once an epoch to each of its four neighbours; in a group only the node that
collects has more than one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mdl.systems.decentralised.messages import (
    LOSSES_TO_NEIGHBOURS,
    LOSSES_TO_NODE,
    TO_NEIGHBOURS,
    TO_NODE,
    GivenUp,
    Kinds,
    Lost,
    Recovering,
    Total,
)
from tests.end_to_end.mortal import Ended, Moment, Step, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

VICTIM, COLLECTOR = 3, 1
NODES, EPOCHS, THRESHOLD = 5, 3, 3
ALL = {1, 2, 3, 4, 5}
LAST, AGAIN = NODES - 1, NODES
"""Of a kind: to the last neighbour when keys are made; to the first one in the second epoch."""

COMPLETE: Mapping[str, Any] = {"threshold": THRESHOLD}
GROUP: Mapping[str, Any] = {"threshold": THRESHOLD, "graph": {"type": "group"}}


def at(step: Step, kind: str, count: int = 1, *, party: int = VICTIM) -> Moment:
    return Moment(party, step, kind, count)


MAKING: list[tuple[Step, int]] = [("sends", 1), ("sent", LAST), ("got", 1)]
IN_EPOCH_2: list[tuple[Step, int]] = [
    ("sends", AGAIN),
    ("sent", AGAIN),
    ("sent", AGAIN + LAST - 1),
    ("got", AGAIN),
]

MAKING_KEYS = [
    *(
        at(step, kind, count)
        for kind in ("Announcement", "Announcements", "SharesDealt", "SharesHeld")
        for step, count in MAKING
    ),
    at("sends", "PublicShare"),
    at("got", "PublicShare"),
    at("sends", "CollectiveKey"),
]
"""Something that somebody needs of it is not out."""

PERHAPS_MADE = [
    at("sent", "PublicShare", LAST),
    at("sent", "CollectiveKey", LAST),
    at("got", "CollectiveKey"),
]

AVERAGING = [
    at(step, kind, count) for kind in ("Weighted", "Summed", "Opening") for step, count in IN_EPOCH_2
]
PARTING = [at("sends", "Done"), at("sent", "Done"), at("got", "Done")]

RECOVERING = [
    at("sends", "Lost", party=2),
    at("sent", "Lost", party=2),
    at("got", "Lost", party=4),
    at("sends", "Recovering", party=4),
    at("sent", "Recovering", party=4),
    at("got", "Recovering", party=2),
]

IN_A_GROUP_MAKING_KEYS = [
    at("sends", "Announcement"),
    at("got", "Announcements"),
    at("sends", "SharesDealt"),
    at("got", "SharesHeld"),
    at("sends", "PublicShare"),
]
IN_A_GROUP = [
    at("sends", "Weighted", 2),
    at("sent", "Weighted", 2),
    at("got", "Summed", 2),
    at("sends", "Opening", 2),
    at("sent", "Opening", 2),
    at("got", "Total", 2),
    at("sent", "Done"),
    at("sends", "Done", party=COLLECTOR),
]
OF_THE_COLLECTOR = [
    *(at("sends", kind, party=COLLECTOR) for kind in ("Announcements", "SharesHeld", "CollectiveKey")),
    at("got", "Weighted", AGAIN, party=COLLECTOR),
    at("sends", "Summed", AGAIN, party=COLLECTOR),
    at("sends", "Total", AGAIN, party=COLLECTOR),
    at("sent", "Total", AGAIN, party=COLLECTOR),
]

WITHOUT_A_THRESHOLD = [
    at("sends", "PublicShare"),
    at("got", "CollectiveKey"),
    at("sends", "Weighted", AGAIN),
    at("got", "Summed", AGAIN),
    at("sends", "Opening", AGAIN),
]


def killed(
    system: Mapping[str, Any], data: str, place: Path, patch: pytest.MonkeyPatch, *moments: Moment
) -> Ended:
    learning = {"dataset": data, "model": "digits-mlp", "split": "disjoint"}
    table = {"type": "decentralised", "graph": {"type": "complete"}, **system}
    tables = {"name": "m", "workers": NODES, "epochs": EPOCHS, "system": table, "learning": learning}
    return run(tables, place, patch, *moments)


def assert_named(ended: Ended, node: int) -> None:
    assert ended.summary["status"] == "failed"
    assert f"worker {node} was killed by SIGKILL" in ended.summary["reason"]


def assert_went_on(ended: Ended, *without: int) -> None:
    assert (ended.summary["status"], ended.left) == ("completed", set(without)), ended.summary["reason"]
    assert all(ended.epochs_done(node) == {1, 2, 3} for node in ALL - set(without))


@pytest.mark.parametrize("moment", MAKING_KEYS, ids=str)
def test_while_keys_are_made_the_run_ends_and_the_node_is_named(
    moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_named(killed(COMPLETE, few_digits, tmp_path, monkeypatch, moment), VICTIM)


@pytest.mark.parametrize("moment", PERHAPS_MADE, ids=str)
def test_with_its_part_of_the_keys_out_the_others_go_on_or_it_is_named(
    moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = killed(COMPLETE, few_digits, tmp_path, monkeypatch, moment)
    if ended.summary["status"] == "completed":
        assert VICTIM in ended.left
        assert len(ended.left) <= NODES - THRESHOLD
    else:
        assert_named(ended, VICTIM)


@pytest.mark.parametrize("moment", [*AVERAGING, *PARTING], ids=str)
def test_from_then_on_the_others_do_all_epochs(
    moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_went_on(killed(COMPLETE, few_digits, tmp_path, monkeypatch, moment), VICTIM)


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", RECOVERING, ids=str)
def test_one_more_may_be_killed_while_the_secret_of_the_first_is_recovered(
    moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = at("sends", "Weighted", AGAIN)
    ended = killed(COMPLETE, few_digits, tmp_path, monkeypatch, first, moment)
    assert_went_on(ended, VICTIM, moment.party)


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", WITHOUT_A_THRESHOLD, ids=str)
def test_without_a_threshold_the_run_ends_and_the_node_is_named(
    moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_named(killed({}, few_digits, tmp_path, monkeypatch, moment), VICTIM)


@pytest.mark.parametrize("system", [COMPLETE, GROUP, {}], ids=["threshold", "group", "none"])
def test_before_it_is_linked_the_run_ends_and_the_node_is_named(
    system: Mapping[str, Any], few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_named(killed(system, few_digits, tmp_path, monkeypatch, Moment(VICTIM, "links")), VICTIM)


@pytest.mark.parametrize("moment", IN_A_GROUP_MAKING_KEYS, ids=str)
def test_while_a_group_makes_its_key_the_run_ends_and_the_node_is_named(
    moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_named(killed(GROUP, few_digits, tmp_path, monkeypatch, moment), VICTIM)


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", IN_A_GROUP, ids=str)
def test_from_then_on_the_others_of_a_group_do_all_epochs(
    moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_went_on(killed(GROUP, few_digits, tmp_path, monkeypatch, moment), moment.party)


@pytest.mark.parametrize("moment", OF_THE_COLLECTOR, ids=str)
def test_without_its_collector_a_group_ends_and_it_is_named(
    moment: Moment, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_named(killed(GROUP, few_digits, tmp_path, monkeypatch, moment), COLLECTOR)


def names(kinds: Kinds) -> set[str]:
    return {kind.__name__ for kind in kinds}


def test_no_kind_of_message_is_left_out() -> None:
    """But `GivenUp` and `Waiting`, which are for those that are there and silent."""
    moments = [*MAKING_KEYS, *PERHAPS_MADE, *AVERAGING, *PARTING, *RECOVERING]
    all_kinds = (*TO_NODE, *TO_NEIGHBOURS, *LOSSES_TO_NODE, *LOSSES_TO_NEIGHBOURS)
    kinds = names(all_kinds) - names((GivenUp,))
    for step in ("sends", "sent", "got"):
        assert {moment.kind for moment in moments if moment.step == step} == kinds
    grouped = [*IN_A_GROUP_MAKING_KEYS, *IN_A_GROUP, *OF_THE_COLLECTOR]
    of_a_second = names((Lost, Recovering))
    assert {moment.kind for moment in grouped} == (kinds - of_a_second) | names((Total,))
