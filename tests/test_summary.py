"""A run's figures, from the events of its parties."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.config import parse
from mdl.summary import Account, epochs_to_converge, fairness, gain, jain, summarise


def account(**keys: Any) -> Account:
    """An account of a run with three workers that started at a known time."""
    system = {"type": "coordinated", "threshold": 3, "scheme": {"type": "plain"}, "block": 2}
    experiment = parse({"name": "made-up", "workers": 3, "epochs": 2, "system": system, **keys})
    return Account(experiment, started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def summary(found: Account) -> dict[str, Any]:
    return summarise(found, status="completed", reason=found.reason, seconds=12.3456)


def record(found: Account, kind: str, *, party: int = 0, epoch: int = 1, **values: Any) -> None:
    found.recorded({"seconds": 1.0, "party": party, "kind": kind, "epoch": epoch, **values})


def finish(found: Account, party: int, *, reason: str = "all epochs done") -> None:
    lag = {"median": 0.001 * party, "p95": 0.01 * party}
    found.finished(party, {"weights": f"{party:064x}", "cpu_seconds": 1.5, "reason": reason, "loop_lag": lag})


def test_a_run_without_events_has_a_summary_too() -> None:
    figures = summary(account())
    assert figures["epochs"] == 0
    assert figures["accuracy"] == {}
    assert figures["bytes"] == {}
    assert figures["fairness"] is None
    assert figures["missed"] is None, "nothing was due"
    assert figures["missed_share"] is None
    assert figures["saturated_share"] == 0.0
    assert figures["weights"] == {"global": None, "workers": {}}
    assert figures["epochs_to_converge"] is None


def test_the_start_is_an_iso_time() -> None:
    assert summary(account())["started"] == "2026-01-02T03:04:05+00:00"


def test_a_run_starts_now_unless_it_is_said_otherwise() -> None:
    before = datetime.now(UTC)
    assert before <= Account(account().experiment).started <= datetime.now(UTC)


def test_the_experiment_is_recognised_by_its_main_values() -> None:
    figures = summary(account(seed=9))
    assert [figures[key] for key in ("name", "system", "scheme", "workers", "threshold", "seed")] == [
        "made-up",
        "coordinated",
        "plain",
        3,
        3,
        9,
    ]
    alone = summary(account(system={"type": "standalone"}))
    assert alone["scheme"] is None
    assert alone["threshold"] is None


def test_the_last_scores_count_and_the_worst_worker_is_told() -> None:
    found = account()
    for epoch, accuracy in ((1, 0.5), (2, 0.8)):
        record(found, "evaluated", epoch=epoch, model="global", accuracy=accuracy)
        record(found, "epoch", epoch=epoch, opened=1, missed=0, present=3)
    for worker, accuracy in ((1, 0.6), (2, 0.7), (3, 0.8)):
        record(found, "evaluated", party=worker, epoch=2, model="own", accuracy=accuracy)
        record(found, "evaluated", party=worker, epoch=2, model="alone", accuracy=accuracy - 0.2)
    assert summary(found)["accuracy"] == pytest.approx(
        {"global": 0.8, "own_mean": 0.7, "own_worst": 0.6, "alone_mean": 0.5, "alone_worst": 0.4}
    )
    assert summary(found)["epochs"] == 2


def test_bytes_go_up_from_workers_and_down_from_the_manager() -> None:
    found = account()
    for party, size in ((0, 100), (1, 30), (2, 40), (1, 5)):
        sent = {"Upload": {"messages": 1, "size_bytes": size}}
        found.spent({"party": party, "epoch": 1, "sent": sent, "received": {}, "seconds": {}})
    assert summary(found)["bytes"] == {"up": 75, "down": 100}


@pytest.mark.parametrize(
    ("system", "sent"),
    [
        ({"type": "decentralised"}, {"workers": 75}),
        ({"type": "quantised-mpc"}, {"workers": 75}),
        ({"type": "quantised-mpc", "security": "dealer"}, {"workers": 75, "dealer": 100}),
    ],
)
def test_without_a_manager_bytes_are_those_of_who_sent_them(
    system: dict[str, Any], sent: dict[str, int]
) -> None:
    found = account(system=system, learning={"batch": 16})
    for party, size in ((0, 100 * ("dealer" in sent)), (1, 30), (2, 40), (1, 5)):
        row = {"Sealed": {"messages": 1, "size_bytes": size}}
        found.spent({"party": party, "epoch": 1, "sent": row, "received": {}, "seconds": {}})
    record(found, "done", party=1)
    figures = summary(found)
    assert figures["bytes"] == sent
    assert figures["missed"] is figures["missed_share"] is figures["saturated"] is None
    assert (figures["secrecy"] is None) == (system["type"] == "decentralised")


def test_seconds_are_the_mean_over_the_workers_and_leave_out_the_manager() -> None:
    found = account()
    for party, seconds in ((0, 100.0), (1, 1.0), (1, 1.0), (2, 4.0)):
        spent = {"training": seconds, "unheard-of": 1.0}
        found.spent({"party": party, "epoch": 1, "sent": {}, "received": {}, "seconds": spent})
    seconds = summary(found)["seconds"]
    assert seconds["training"] == 3.0
    assert seconds["waiting"] == 0.0
    assert seconds["total"] == 12.346


def test_missed_blocks_are_a_share_of_all_that_were_due() -> None:
    found = account()
    record(found, "epoch", epoch=1, opened=8, missed=2)
    record(found, "epoch", epoch=2, opened=9, missed=1)
    figures = summary(found)
    assert figures["missed"] == 3
    assert figures["missed_share"] == 0.15


def test_saturated_values_are_a_share_of_all_that_every_worker_encoded() -> None:
    found = account()
    for worker in (1, 2, 3):
        record(found, "updated", party=worker, updated=10, missed=0, saturated=1)
    record(found, "epoch", opened=10, missed=0)
    figures = summary(found)
    assert figures["saturated"] == 3
    assert figures["saturated_share"] == 3 / (3 * 10 * 2)


def test_saturated_values_are_a_share_of_what_workers_encoded_each_as_often_as_it_trained() -> None:
    found = account(system={"type": "dynamic", "threshold": 3, "scheme": {"type": "plain"}, "block": 2})
    for worker, epochs in ((1, 5), (2, 3), (3, 1)):
        for epoch in range(1, epochs + 1):
            record(found, "updated", party=worker, epoch=epoch, updated=4, missed=1, saturated=2)
    # Ten blocks: what is opened beyond an epoch's ten counts for the next.
    for epoch, opened in ((1, 12), (2, 8)):
        record(found, "epoch", epoch=epoch, opened=opened, missed=5)
    figures = summary(found)
    assert figures["saturated"] == 18
    assert figures["saturated_share"] == 18 / (9 * 10 * 2)
    assert figures["missed_share"] == 10 / 30


def test_the_manager_says_why_the_run_ended() -> None:
    found = account()
    for party in (1, 2, 0, 3):
        finish(found, party, reason="converged" if party == 0 else "told to stop")
    figures = summary(found)
    assert figures["reason"] == "converged"
    assert figures["cpu_seconds"] == 6.0
    assert figures["weights"]["global"] == f"{0:064x}"
    assert list(figures["weights"]["workers"]) == ["1", "2", "3"]


def test_where_there_is_no_manager_a_worker_says_why() -> None:
    found = account(system={"type": "standalone"})
    finish(found, 2, reason="converged")
    assert summary(found)["reason"] == "converged"


def test_who_left_is_listed() -> None:
    found = account()
    record(found, "left", epoch=1, worker=2, how="worker 2 was killed")
    assert summary(found)["left"] == [{"worker": 2, "epoch": 1, "how": "worker 2 was killed"}]


def test_convergence_is_the_first_epoch_within_a_point_of_the_best() -> None:
    assert epochs_to_converge({1: 0.5, 2: 0.895, 3: 0.9, 4: 0.88}) == 2
    assert epochs_to_converge({}) is None


def test_the_start_lasts_until_the_first_worker_has_trained() -> None:
    found = account()
    assert summary(found)["seconds"]["start"] is None
    for seconds in (2.5, 3.5):
        found.recorded({"seconds": seconds, "party": 1, "kind": "trained", "epoch": 1, "loss": 1.0})
    assert summary(found)["seconds"]["start"] == 2.5


def test_the_manager_counts_the_epochs_and_not_the_workers_at_their_own_pace() -> None:
    found = account()
    record(found, "done", party=1, epoch=9)
    record(found, "epoch", epoch=2, opened=1, missed=0)
    assert summary(found)["epochs"] == 2


def test_where_nobody_talks_the_run_has_come_as_far_as_the_first_worker() -> None:
    found = account(system={"type": "standalone"})
    for worker, epoch in ((1, 5), (2, 3)):
        record(found, "done", party=worker, epoch=epoch)
    figures = summary(found)
    assert (figures["epochs"], figures["own_pace"]) == (5, True)


def test_a_resumed_run_started_when_its_first_part_did_and_adds_up_processor_time() -> None:
    first = account()
    finish(first, 1)
    second = Account(first.experiment, resuming=True)
    second.goes_on(summary(first))
    finish(second, 1)
    figures = summary(second)
    assert figures["started"] == "2026-01-02T03:04:05+00:00"
    assert figures["cpu_seconds"] == 3.0


def test_seconds_are_by_the_clock_on_the_wall_unless_it_is_said_otherwise() -> None:
    assert summary(account())["clock"] == "wall"
    virtual = summarise(account(), status="completed", reason="", seconds=1.0, clock="virtual")
    assert virtual["clock"] == "virtual"


def test_accepted_contributions_are_cumulative_and_nobody_is_left_out() -> None:
    found = account()
    for worker, count in ((1, 10), (1, 30), (3, 10)):
        record(found, "accepted", worker=worker, count=count)
    figures = summary(found)["fairness"]
    assert figures["accepted"] == {"1": 30, "2": 0, "3": 10}
    assert figures["jain"] == pytest.approx(40**2 / (3 * (900 + 100)), abs=1e-6)


def test_a_system_that_counts_no_contributions_has_no_fairness() -> None:
    assert fairness({}, 3) is None


counts = st.lists(st.integers(0, 10**9), min_size=1, max_size=60)


@given(counts)
def test_jains_index_lies_between_one_nth_and_one(found: list[int]) -> None:
    assert 1 / len(found) - 1e-12 <= jain(found) <= 1 + 1e-12


@given(counts, st.integers(1, 1000), st.randoms())
def test_jains_index_knows_neither_scale_nor_order(found: list[int], scale: int, order: Any) -> None:
    scaled = [scale * count for count in found]
    order.shuffle(scaled)
    assert jain(scaled) == pytest.approx(jain(found))


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 10**6))
def test_if_k_of_n_share_alike_jains_index_is_their_part(some: int, others: int, count: int) -> None:
    assert jain([count] * some + [0] * others) == pytest.approx(some / (some + others))


def test_where_nobody_has_anything_nobody_is_treated_unfairly() -> None:
    assert jain([0, 0, 0]) == 1.0


def test_the_gain_is_over_the_mean_worker_alone_the_global_models_where_there_is_one() -> None:
    assert gain({"global": 0.95, "own_mean": 0.94, "alone_mean": 0.9}) == pytest.approx(0.05)
    assert gain({"own_mean": 0.94, "alone_mean": 0.9}) == pytest.approx(0.04)
    assert gain({"pooled": 0.96, "own_mean": 0.94, "alone_mean": 0.9}) is None
    assert gain({"global": 0.95}) is None


def test_workers_that_left_are_in_no_mean() -> None:
    found = account()
    for epoch, workers in ((1, (1, 2, 3)), (2, (1, 2))):
        for worker in workers:
            record(found, "evaluated", party=worker, epoch=epoch, model="own", accuracy=0.2 * worker)
    record(found, "left", epoch=2, worker=3, how="it was killed")
    for worker in (1, 2):
        record(found, "evaluated", party=worker, epoch=2, model="alone", accuracy=0.1)
    expected = {"own_mean": 0.3, "own_worst": 0.2, "alone_mean": 0.1, "alone_worst": 0.1}
    assert summary(found)["accuracy"] == pytest.approx(expected)
    record(found, "evaluated", party=3, epoch=2, model="own", accuracy=0.6)
    assert summary(found)["accuracy"]["own_mean"] == pytest.approx(0.4), "it has come back"


def test_where_all_workers_left_the_means_are_those_of_all() -> None:
    found = account()
    for worker in (1, 2):
        record(found, "evaluated", party=worker, model="own", accuracy=0.2 * worker)
        record(found, "left", worker=worker, how="it was killed")
    assert summary(found)["accuracy"] == pytest.approx({"own_mean": 0.3, "own_worst": 0.2})


def told(right: float | None, **counts: Any) -> dict[str, Any]:
    return {"opinions_right": right, "opinions_needed": 0.28, **counts}


def test_opinions_are_summed_up_over_the_workers_and_by_each() -> None:
    found = account(workers=2, system={"type": "mutual", "answers_limit": 50})
    assert summary(found)["opinions"] is None
    for epoch in (2, 3):
        counts = {"asked": 15 * (epoch - 1), "answered": 20 * (epoch - 1)}
        record(found, "trained", party=1, epoch=epoch, **told(0.5, opinions=10, learnt_from=8, **counts))
        record(found, "trained", party=2, epoch=epoch, **told(None, opinions=0, learnt_from=0))
    figures = summary(found)["opinions"]
    workers = figures.pop("workers")
    assert figures == {
        "asked": 30,
        "answered": 40,
        "opinions": 5,
        "opinions_right": 0.5,
        "opinions_needed": 0.28,
        "learnt_from": 4,
        "epochs_learnt": 1,
        "answers_limit": 50,
    }
    assert (workers["1"]["learnt_from"], workers["1"]["epochs_learnt"]) == (8, 2)
    assert (workers["2"]["asked"], workers["2"]["opinions_right"]) == (None, None)
