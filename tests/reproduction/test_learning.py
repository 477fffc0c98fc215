from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mdl.config import load
from mdl.errors import ConfigError, DataUnavailable
from mdl.learning.settings import LearningSettings
from mdl.reproduction import learning_accuracy, learning_noise, learning_visibility
from mdl.reproduction.committed import experiment_file
from mdl.reproduction.figure import Check, Data, Row, Setting
from mdl.reproduction.learning_runs import NETWORKS, QUICK, Learnt, full, is_at_hand, learn, over_seeds, sized

SEEDS = (1, 2)

DIGITS = Learnt("digits", "digits-mlp", "digits", images=200, epochs=1, batch=8, test=50)

EXPERIMENT = """
name = "tiny"
workers = 3
[system]
type = "coordinated"
threshold = 3
[system.scheme]
type = "plain"
"""


def setting(tmp_path: Path, data_dir: Path | None = None) -> Setting:
    return Setting(quick=True, folder=tmp_path, data_dir=data_dir, jobs=2, tell=lambda _: None)


def failed(checks: list[Check]) -> list[str]:
    return [check.expected for check in checks if not check.holds]


def noise(accuracy: Callable[[float | None, float], float]) -> Data:
    rows: list[Row] = [
        {
            "network": "net",
            "epsilon": epsilon,
            "visibility": rho,
            "seed": seed,
            "accuracy": accuracy(epsilon, rho),
        }
        for epsilon, rho in [*((e, r) for e in (0.01, 0.1, 1.0) for r in (0.125, 0.5)), (None, 0.5)]
        for seed in SEEDS
    ]
    return Data(rows, {"clip": 0.5, "seeds": list(SEEDS), "networks": ["net"]}, "computed")


RIGHT = {
    (0.01, 0.125): 0.1,
    (0.01, 0.5): 0.15,
    (0.1, 0.125): 0.12,
    (0.1, 0.5): 0.5,
    (1.0, 0.125): 0.7,
    (1.0, 0.5): 0.8,
}


def right(epsilon: float | None, rho: float) -> float:
    return 0.85 if epsilon is None else RIGHT[epsilon, rho]


class TestNoise:
    def test_the_expected_shape_holds(self) -> None:
        assert not failed(list(learning_noise.checks(noise(right))))

    @pytest.mark.parametrize(
        ("point", "value", "words"),
        [
            ((0.01, 0.5), 0.05, "at every ε"),
            ((1.0, 0.5), 0.69, "at every ε"),
            ((0.1, 0.125), 0.6, "smaller ε does great harm"),
            ((0.1, 0.5), 0.15, "undoes that"),
            ((0.01, 0.5), 0.6, "it is lost"),
            ((1.0, 0.5), 0.72, "usable"),
        ],
    )
    def test_another_shape_does_not(self, point: tuple[float, float], value: float, words: str) -> None:
        def wrong(epsilon: float | None, rho: float) -> float:
            return value if (epsilon, rho) == point else right(epsilon, rho)

        assert any(words in each for each in failed(list(learning_noise.checks(noise(wrong)))))

    def test_who_guesses_may_guess_a_little_worse(self) -> None:
        data = noise(lambda epsilon, rho: 0.09 if (epsilon, rho) == (0.01, 0.5) else right(epsilon, rho))
        assert not failed(list(learning_noise.checks(data)))

    def test_it_is_drawn(self) -> None:
        picture = learning_noise.draw(noise(right), "measured nowhere")
        assert picture.png.startswith(b"\x89PNG")
        assert "ρ = 0.125" in picture.svg
        assert "measured nowhere" in picture.svg


def rising(accuracy: float, count: int) -> list[float]:
    """A curve that comes within a point of its end, averaged over three epochs, at `count`."""
    return [accuracy if epoch > count - 3 else 0.1 for epoch in range(1, 16)]


def visibility(accuracies: list[float], epochs: list[int]) -> Data:
    rows: list[Row] = [
        {"network": "net", "visibility": rho, "seed": seed, "epoch": epoch, "accuracy": value}
        for rho, accuracy, count in zip(learning_visibility.VISIBILITIES, accuracies, epochs, strict=True)
        for seed in SEEDS
        for epoch, value in enumerate(rising(accuracy, count), 1)
    ]
    return Data(rows, {"epsilon": 0.5, "seeds": list(SEEDS), "networks": ["net"]}, "computed")


class TestVisibility:
    def test_the_expected_shape_holds(self) -> None:
        data = visibility([0.4, 0.7, 0.8, 0.795, 0.81], [15, 14, 14, 13, 14])
        assert not failed(list(learning_visibility.checks(data)))

    def test_a_fall_is_found(self) -> None:
        data = visibility([0.4, 0.7, 0.8, 0.78, 0.81], [14] * 5)
        assert "rises" in failed(list(learning_visibility.checks(data)))[0]

    def test_a_fall_that_seeds_would_explain_is_none(self) -> None:
        data = visibility([0.4, 0.7, 0.8, 0.78, 0.81], [14] * 5)
        rows = [
            {**row, "accuracy": float(row["accuracy"] or 0) + (0.02 if row["seed"] == 1 else -0.02)}
            for row in data.rows
        ]
        assert not failed(list(learning_visibility.checks(replace(data, rows=rows))))

    def test_unlike_epochs_are_found(self) -> None:
        data = visibility([0.4, 0.7, 0.8, 0.8, 0.81], [14, 14, 14, 14, 10])
        assert "as many epochs" in failed(list(learning_visibility.checks(data)))[0]

    def test_a_single_good_epoch_is_no_convergence(self) -> None:
        curve = [0.1, 0.2, 0.62, 0.3, 0.4, 0.5, 0.58, 0.6, 0.6, 0.6]
        assert learning_visibility.converged(curve) == 9

    def test_it_is_drawn(self) -> None:
        data = visibility([0.4, 0.7, 0.8, 0.795, 0.81], [15, 14, 14, 13, 14])
        assert "epochs until" in learning_visibility.draw(data, "").svg


def accuracy(joined: float, hashes: tuple[str, str] = ("a", "a")) -> Data:
    values = {learning_accuracy.ALONE: 0.9, learning_accuracy.JOINED: joined, learning_accuracy.POOLED: 0.92}
    rows: list[Row] = [
        {"network": "net", "seed": seed, "model": model, "accuracy": value}
        for model, value in values.items()
        for seed in SEEDS
    ]
    weights = dict(zip(("plain", "prss"), hashes, strict=True))
    return Data(rows, {"seeds": list(SEEDS), "networks": ["net"], "weights": weights}, "computed")


class TestAccuracy:
    def test_within_a_point_holds(self) -> None:
        assert not failed(list(learning_accuracy.checks(accuracy(0.8925))))

    def test_more_below_does_not(self) -> None:
        assert "within a point" in failed(list(learning_accuracy.checks(accuracy(0.8875))))[0]

    def test_other_weights_do_not(self) -> None:
        assert "hiding" in failed(list(learning_accuracy.checks(accuracy(0.9, ("a", "b")))))[0]

    def test_it_is_drawn(self) -> None:
        assert "all data in one place" in learning_accuracy.draw(accuracy(0.9), "").svg


class TestRuns:
    @pytest.mark.parametrize("figure", ["figure-6", "figure-7a", "accuracy"])
    def test_the_committed_experiments_are_valid(self, figure: str) -> None:
        for network in [QUICK, *full(None)]:
            experiment, notes = load(experiment_file(figure), network.overrides)
            assert not notes
            assert experiment.workers == 8

    def test_the_experiments_are_found_from_elsewhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert experiment_file("figure-6").is_file()
        with pytest.raises(ConfigError, match="clone"):
            experiment_file("none")

    def test_without_svhn_another_set_stands_in_and_is_named(self, tmp_path: Path) -> None:
        assert [network.dataset for network in full(tmp_path)][2:] == ["cifar10", "cifar10"]
        assert "CIFAR-10 (for SVHN)" in full(tmp_path)[2].name
        for name in ("train_32x32.mat", "test_32x32.mat"):
            (tmp_path / name).touch()
        assert is_at_hand(LearningSettings(dataset="svhn"), tmp_path)
        assert [network.name for network in full(tmp_path)][2:] == ["MLP-SVHN", "CNN-SVHN"]

    def test_in_full_a_figure_runs_all_its_networks_or_those_asked_for(self, tmp_path: Path) -> None:
        some = replace(setting(tmp_path), quick=False, networks=("cnn-mnist", "mlp-svhn"))
        assert [network.key for network in sized(some)] == ["cnn-mnist", "mlp-svhn"]
        assert [network.key for network in sized(replace(some, networks=()))] == list(NETWORKS)
        assert sized(replace(some, quick=True)) == [QUICK]

    def test_missing_data_is_said_before_anything_runs(self, tmp_path: Path) -> None:
        with pytest.raises(DataUnavailable, match="mnist"):
            learn(setting(tmp_path, tmp_path), experiment_file("figure-6"), [QUICK], {})
        assert not (tmp_path / "runs").exists()

    @pytest.mark.slow
    def test_every_network_setting_and_seed_is_run_once(self, tmp_path: Path) -> None:
        file = tmp_path / "tiny.toml"
        file.write_text(EXPERIMENT)
        told: list[str] = []
        here = Setting(quick=True, folder=tmp_path, data_dir=None, jobs=2, tell=told.append)
        axes: dict[str, Any] = {"system.visibility": (1.0,), "system.scheme.type": ("plain", "prss")}
        rows = learn(here, file, [DIGITS], axes, seeds=SEEDS)
        assert [(row["type"], row["seed"]) for row in rows] == [
            ("plain", 1),
            ("plain", 2),
            ("prss", 1),
            ("prss", 2),
        ]
        by_scheme = {
            scheme: [row["weights"] for row in rows if row["type"] == scheme] for scheme in ("plain", "prss")
        }
        assert by_scheme["plain"] == by_scheme["prss"]
        assert len(set(by_scheme["plain"])) == len(SEEDS)
        assert len(told) == 1 + len(rows)
        found = over_seeds(rows, "accuracy", network="digits", type="plain")
        assert 0 < found.mean < 1
        told.clear()
        assert learn(here, file, [DIGITS], axes, seeds=SEEDS) == rows
        assert len(told) == 1
