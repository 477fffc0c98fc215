"""Epochs with real processes: what is launched, what is read off it, what is shown."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest

from mdl.bench import exchange
from mdl.bench.exchange import (
    EPOCHS,
    FAST,
    NAMES,
    RUNNABLE,
    Epoch,
    Line,
    Measured,
    Meter,
    experiment,
    measure_exchanges,
    oracle,
)
from mdl.bench.processes import Reading
from mdl.bench.schemes import Size, measure_all
from mdl.bench.sheets import of_exchange
from mdl.errors import MdlError, SchemeError

SIZE = Size(parameters=3_000, workers=3, threshold=3, runs=2)
EPOCH = Epoch(
    wall=1.0, cpu=4.0, manager_cpu=1.0, worker_cpu=1.0, up=5e3, down=6e3, manager_peak=2e8, worker_peak=1e8
)


def line(name: str, *walls: float, block: int = 3_000, weights: str = "same") -> Line:
    return Line(name, block, [replace(EPOCH, wall=wall) for wall in walls], weights)


def test_what_is_fast_has_a_case() -> None:
    assert set(FAST) < set(NAMES)


@pytest.mark.parametrize("case", RUNNABLE, ids=lambda case: case.name)
def test_every_case_makes_an_experiment_at_the_default_size(case: Any) -> None:
    planned = experiment(case, Size(140_106, 8, 4, 1))
    assert planned.workers == 8
    assert str(planned.learning.model).endswith(":vector_140106")


class Launches:
    """Stands in for the launcher: plays the events of a run in which the k-th scheme takes k seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, status: str = "completed") -> None:
        self.launched: list[tuple[str, int]] = []
        self.status = status
        self._epoch = 0
        monkeypatch.setattr(exchange, "launch", self._launch)
        monkeypatch.setattr(exchange, "parties", self._parties)

    def _launch(self, planned: Any, run: Any, *, data_dir: None, watch: Meter) -> Mapping[str, Any]:
        self.launched.append((planned.system.scheme.type, planned.system.block))
        slowness = len({scheme for scheme, _ in self.launched})
        for self._epoch in range(1, planned.epochs + 1):
            watch({"kind": "epoch", "epoch": self._epoch, "seconds": 5.0 + slowness * self._epoch})
            for party in range(planned.workers + 1):
                sent = {"Upload": {"messages": 2, "size_bytes": 100 + party}}
                watch({"kind": "ledger", "entry": {"party": party, "epoch": self._epoch, "sent": sent}})
        weights = {"global": f"model of blocks of {planned.system.block}"}
        return {"status": self.status, "reason": "so it is", "weights": weights}

    def _parties(self) -> Mapping[int, Reading]:
        return {party: Reading(3.0 + party * self._epoch, 1 << (20 + party)) for party in range(4)}


def test_schemes_take_turns_and_each_has_the_oracle_of_its_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    launches = Launches(monkeypatch)
    measured = measure_exchanges(["prss", "rlwe", "pairwise"], SIZE, lambda _: None)
    once = [("plain", 1), ("prss", 1), ("plain", 3_000), ("rlwe", 3_000), ("pairwise", 3_000)]
    assert launches.launched == once * 2
    assert [line.name for line in measured.lines] == [
        *(oracle(1).name, "prss", oracle(3_000).name, "rlwe", "pairwise")
    ]
    assert all(len(line.epochs) == 2 for line in measured.lines)
    assert measured.complete


def test_an_epoch_is_the_mean_of_those_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    Launches(monkeypatch)
    measured = measure_exchanges(["plain"], replace(SIZE, runs=1), lambda _: None)
    (epoch,) = measured.lines[0].epochs
    assert asdict(epoch) == pytest.approx(
        {
            "wall": 1.0,
            "cpu": 0 + 1 + 2 + 3,
            "manager_cpu": 0.0,
            "worker_cpu": 2.0,
            "up": 102.0,
            "down": 100 / 3,
            "manager_peak": 1 << 20,
            "worker_peak": 14 / 3 * (1 << 20),
        }
    )


def test_the_typical_epoch_is_the_median_of_the_runs() -> None:
    assert line("x", 9.0, 1.0, 2.0).typical.wall == 2.0


def test_ratios_refer_to_the_oracle_with_the_same_blocks() -> None:
    lines = [line(oracle(1).name, 2.0, block=1), line(oracle(3_000).name, 1.0), line("rlwe", 3.0)]
    measured = Measured(SIZE, lines, [], complete=True)
    assert measured.ratio(lines[2], lambda epoch: epoch.wall) == 3.0
    assert replace(measured, lines=[lines[0], lines[2]]).ratio(lines[2], lambda epoch: epoch.wall) is None
    written = json.loads(json.dumps(measured.to_json()))
    assert written["epochs"] == EPOCHS
    assert [row["wall_times_plain"] for row in written["rows"]] == [1.0, 1.0, 3.0]
    assert "| rlwe | 3.00 | 3.00 |" in of_exchange(measured)[0].markdown()


def test_another_model_than_the_oracles_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    launches = Launches(monkeypatch)
    play = launches._launch

    def astray(planned: Any, run: Any, **rest: Any) -> Mapping[str, Any]:
        summary = play(planned, run, **rest)
        return {**summary, "weights": {"global": planned.system.scheme.type}}

    monkeypatch.setattr(exchange, "launch", astray)
    with pytest.raises(SchemeError, match="rlwe gave another model than plain, block 3,000"):
        measure_exchanges(["rlwe"], SIZE, lambda _: None)


def test_a_run_that_fails_ends_the_benchmark_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    Launches(monkeypatch, "failed")
    with pytest.raises(MdlError, match="plain, block 3,000: so it is"):
        measure_exchanges(["rlwe"], SIZE, lambda _: None)


def test_an_interruption_keeps_the_runs_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    launches = Launches(monkeypatch)

    def begins(what: str) -> None:
        if what == "rlwe, run 2 of 2":
            launches.status = "interrupted"

    measured = measure_exchanges(["rlwe"], SIZE, begins)
    assert [len(line.epochs) for line in measured.lines] == [2, 1]
    assert not measured.complete
    assert "Broken off" in of_exchange(measured)[0].markdown()


def test_what_cannot_be_run_is_refused_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    Launches(monkeypatch)
    measured = measure_exchanges(
        ["prss", "pairwise"], replace(SIZE, workers=30, threshold=15), lambda _: None
    )
    assert [refused.name for refused in measured.refused] == ["prss"]
    # No oracle for the blocks of what is refused.
    assert [line.name for line in measured.lines] == [oracle(3_000).name, "pairwise"]


def test_refusals_are_those_of_the_steps_side_by_side() -> None:
    size = replace(SIZE, workers=30, threshold=15)
    names = ["elgamal-256", "prss"]
    measured = measure_exchanges(names, size, lambda _: None)
    found = measure_all(names, size, lambda _: None)
    assert [(each.name, list(each.reasons)) for each in measured.refused] == [
        (each.name, list(each.reasons)) for each in found.refused
    ]
    assert len(found.refused) == 2
    assert not measured.lines


def test_what_a_small_model_makes_another_row_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Launches(monkeypatch)
    measured = measure_exchanges(["rlwe-16k", "rlwe-32k", "rlwe"], SIZE, lambda _: None)
    assert [line.name for line in measured.lines] == [oracle(3_000).name, "rlwe"]
    assert measured.to_json()["same"] == {"rlwe-16k": "rlwe", "rlwe-32k": "rlwe"}
    assert "rlwe-16k (as rlwe), rlwe-32k (as rlwe)." in of_exchange(measured)[0].markdown()


@pytest.mark.parametrize(
    ("runs", "said"), [(1, "One run, the mean of 5"), (2, "Medians of 2 interleaved runs, each the mean")]
)
def test_one_run_is_no_median(runs: int, said: str) -> None:
    measured = Measured(replace(SIZE, runs=runs), [line("rlwe", 1.0)], [], complete=True)
    assert said in of_exchange(measured)[0].markdown()


@pytest.mark.slow
@pytest.mark.alone
def test_real_processes_are_measured() -> None:
    measured = measure_exchanges(["pairwise"], replace(SIZE, runs=1), lambda _: None)
    for found in measured.lines:
        (epoch,) = found.epochs
        assert 0 < epoch.manager_cpu < epoch.cpu
        assert 0 < epoch.wall < 10
        assert epoch.up > 4 * SIZE.parameters
        assert epoch.manager_peak > 1 << 24
