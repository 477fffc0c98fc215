"""Every attack on every view."""

from dataclasses import replace

import numpy as np
import pytest

from mdl.audit.inversion.study import GUESS, Attempt, mount
from mdl.audit.inversion.viewing import Point, check_attackable, smaller, sums_of, views
from mdl.errors import ConfigError
from tests.audit.inversion.digits import dataset, experiment

ALL = ("system.visibility=1.0", "system.block=100")
QUICK = ("analytic", "rows")


def _point(*overrides: str, images: int = 2) -> Point:
    return Point(experiment(*overrides), dataset(), None, images)


def test_every_role_is_given_its_view() -> None:
    seen = [(view.role, view.workers) for view in views(_point(*ALL))]
    assert seen == [
        ("server", (1,)),
        ("server", (2,)),
        ("manager", tuple(range(1, 9))),
        ("worker", tuple(range(2, 9))),
        ("eavesdropper", (1,)),
        ("coalition", (8,)),
    ]


def test_more_victims_than_workers_need_more_epochs() -> None:
    seen = list(views(_point(*ALL, images=9)))
    assert [view.epoch for view in seen if view.role == "server"] == [1] * 8 + [2]
    assert [view.epoch for view in seen if view.role == "manager"] == [1, 2]


def test_of_federated_averaging_the_server_is_the_manager() -> None:
    assert [view.role for view in views(_point("system.type=fedavg", images=1))] == ["server", "worker"]


SSDDL = ("system.type=secret-shared",)
COMPLETE = ("system.type=decentralised", "system.graph.type=complete")


@pytest.mark.parametrize(
    ("overrides", "roles"),
    [
        (SSDDL, ["server", "server", "manager", "worker", "eavesdropper", "coalition"]),
        (COMPLETE, ["server", "server", "worker", "eavesdropper", "coalition"]),
        ((*COMPLETE, "system.mode=plain"), ["server"] * 2 + ["worker"] * 7 + ["eavesdropper", "coalition"]),
    ],
)
def test_systems_that_share_and_that_gossip_have_their_views(
    overrides: tuple[str, ...], roles: list[str]
) -> None:
    assert [view.role for view in views(_point(*overrides))] == roles


def divided(point: Point) -> dict[str, Attempt]:
    """What division finds in each role's view."""
    return {
        view.role: attempt
        for view in views(point)
        for attempt in mount(point, view, ["analytic"])
        if attempt.attack == "analytic"
    }


@pytest.mark.parametrize("overrides", [SSDDL, COMPLETE])
def test_division_works_in_the_clear_and_on_all_but_one_and_fails_on_sums(overrides: tuple[str, ...]) -> None:
    point = _point(*overrides)
    found = divided(point)
    assert found["server"].decibels.min() > 25
    assert all(np.median(found[role].decibels) < 15 for role in ("manager", "worker") if role in found)
    assert found["eavesdropper"].decibels.max() < 15
    assert found["coalition"].decibels.min() > 25


def test_neighbours_that_hide_nothing_are_read() -> None:
    point = _point("system.type=decentralised", "system.mode=plain", images=1)
    shown = [view for view in views(point) if view.role == "worker"]
    assert len(shown) == 2
    for view in shown:
        assert list(mount(point, view, ["analytic"]))[1].decibels.min() > 25


def test_small_sums_of_ssddl_are_of_small_groups() -> None:
    few = list(smaller(_point(*SSDDL)))
    assert [point.experiment.workers for point in few] == [2, 4]
    assert [seen.workers for point in few for seen in sums_of(point)] == [(1, 2), (1, 2, 3, 4)]
    assert not list(smaller(_point(*SSDDL, "system.mode=plain")))


def test_division_works_on_the_plain_servers_view_and_fails_on_ours() -> None:
    point = _point(*ALL)
    found = divided(point)
    assert found["server"].decibels.min() > 25
    assert np.median(found["manager"].decibels) < 15
    assert np.median(found["worker"].decibels) < 15
    assert found["eavesdropper"].decibels.max() < 15
    assert found["coalition"].decibels.min() > 25


def test_idlg_works_on_the_plain_servers_view_and_fails_on_ours() -> None:
    point = _point(*ALL, images=1)
    chosen = {view.role: view for view in views(point)}
    server, manager = (list(mount(point, chosen[role], ["idlg"]))[1] for role in ("server", "manager"))
    assert server.decibels.min() > 25
    assert server.labels_right == 1
    assert np.median(manager.decibels) < 15


def test_the_guess_is_the_mean_of_the_test_images() -> None:
    point = _point(*ALL, images=1)
    first = next(views(point))
    (guess,) = mount(point, first, [])
    assert guess.attack == GUESS
    assert guess.recovered is not None
    assert np.allclose(guess.recovered.images[0], dataset().test_images.mean(0) / 16)


def test_attacks_on_all_images_are_left_out_where_there_is_one() -> None:
    point = _point(*ALL, images=1)
    found = {view.role: [attempt.attack for attempt in mount(point, view, QUICK)] for view in views(point)}
    assert found["server"] == [GUESS, "analytic"]
    assert found["manager"] == [GUESS, "analytic", "rows"]


def test_too_many_images_at_once_are_refused_in_words() -> None:
    one = experiment(*ALL)
    several = one.model_copy(update={"learning": one.learning.model_copy(update={"local_steps": 8})})
    point = Point(several, dataset(), None, 1)
    view = next(view for view in views(point) if view.role == "manager")
    attempt = list(mount(point, view, ["joint"]))[1]
    assert attempt.recovered is None
    assert attempt.reason == "64 images at once; mounted on 32 at most"


def test_a_role_that_knows_nothing_is_not_attacked() -> None:
    point = _point(*ALL, images=1)
    view = next(views(point))
    blind = replace(view, known=np.zeros_like(view.known))
    (attempt,) = list(mount(point, blind, ["analytic"]))[1:]
    assert attempt.recovered is None
    assert attempt.reason == "this role knows no entry of it"


def test_workers_outside_every_set_play_no_part() -> None:
    point = _point("system.visibility=0.5", "system.block=2410", "system.scheme.type=prss", images=1)
    seen = {view.role: view for view in views(point)}
    members = seen["manager"].workers
    assert len(members) == 4
    assert seen["eavesdropper"].workers == members[:1]
    assert seen["worker"].workers == members[1:]
    assert seen["coalition"].workers == members[-1:]
    assert seen["coalition"].known.all()


def test_small_sums_are_of_all_of_a_few_workers() -> None:
    few = list(smaller(_point(*ALL)))
    assert [point.experiment.workers for point in few] == [2, 4]
    (seen,) = sums_of(few[0])
    assert seen.workers == (1, 2)
    assert seen.known.all()


def test_nothing_hidden_has_no_small_sums() -> None:
    assert not list(smaller(_point("system.scheme.type=plain")))
    assert not list(smaller(_point("system.type=fedavg")))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("system.type=standalone",), "nobody sends anything"),
        (
            (
                "system.type=dynamic",
                "system.mode=paper",
                "system.insecure=true",
                'system.scheme={type="elgamal", group="insecure64"}',
            ),
            "mdl audit collusion",
        ),
    ],
)
def test_what_cannot_be_attacked_is_said_in_words(overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_attackable(experiment(*overrides))
