from typing import Any

import pytest

from mdl.budget import Budget
from mdl.config import Experiment, parse
from mdl.learning import privacy as records
from mdl.privacy import ldp
from mdl.privacy.settings import GaussianNoise, LaplaceNoise

NOISY: dict[str, Any] = {"type": "laplace", "epsilon": 0.5}
PRIVATE: dict[str, Any] = {"type": "dp-sgd", "noise_multiplier": 1.0}


def experiment(*, noise: dict[str, Any] | None = None, private: dict[str, Any] | None = None) -> Experiment:
    system = {"type": "coordinated", "threshold": 3, **({"privacy": noise} if noise else {})}
    learning = {"batch": 16, **({"privacy": private} if private else {})}
    return parse({"name": "tiny", "workers": 4, "epochs": 10, "system": system, "learning": learning})


def updated(party: int, noised: int, clipped: int = 0) -> dict[str, Any]:
    return {"kind": "updated", "party": party, "epoch": 1, "noised": noised, "clipped": clipped}


def trained(party: int, epochs: int, examples: int = 200) -> dict[str, Any]:
    return {"kind": "trained", "party": party, "epoch": 1, "examples": examples, "private_epochs": epochs}


def test_without_noise_there_is_nothing_to_spend() -> None:
    budget = Budget(experiment())
    budget.recorded({"kind": "updated", "party": 1, "epoch": 1, "saturated": 0})
    budget.recorded({"kind": "trained", "party": 1, "epoch": 1, "loss": 1.0, "examples": 9})
    assert budget.figures() is None
    assert budget.brief() is None


def test_every_noisy_parameter_counts_and_the_worker_that_released_most_is_told() -> None:
    budget = Budget(experiment(noise=NOISY))
    for event in (updated(1, 100, 10), updated(2, 100), updated(2, 60, 16)):
        budget.recorded(event)
    figures = budget.figures()
    assert figures is not None
    noise = figures["noise"]
    assert (noise["worker"], noise["contributions"], noise["parameters"]) == (2, 2, 160)
    assert noise["epsilon_parameter_epoch"] == 0.5
    assert noise["epsilon"] == ldp.spent(LaplaceNoise(epsilon=0.5), coordinates=160, epochs=1).epsilon
    assert noise["clipped_share"] == pytest.approx(26 / 260)
    assert noise["deviation_of_mean"] == pytest.approx((2 * 2**2 / 3) ** 0.5)  # Theorem 1: 2 / (ε² m)
    assert "ε = 0.5 a parameter and epoch" in str(budget.brief())


def test_a_run_that_was_taken_up_may_have_released_an_epoch_twice() -> None:
    budget = Budget(experiment(noise=NOISY))
    for event in (updated(1, 100), {"kind": "resumed", "party": 0, "epoch": 1}, updated(1, 100)):
        budget.recorded(event)
    figures = budget.figures()
    assert figures is not None
    assert (
        figures["noise"]["epsilon"] == ldp.spent(LaplaceNoise(epsilon=0.5), coordinates=100, epochs=3).epsilon
    )


def test_gaussian_noise_counts_contributions() -> None:
    table = {"type": "gaussian", "clip": 1.0, "noise_multiplier": 2.0}
    budget = Budget(experiment(noise=table))
    for _ in range(3):
        budget.recorded(updated(4, 100))
    figures = budget.figures()
    assert figures is not None
    expected = ldp.spent(GaussianNoise(clip=1.0, noise_multiplier=2.0), coordinates=100, epochs=3)
    assert (figures["noise"]["epsilon"], figures["noise"]["delta"]) == (expected.epsilon, expected.delta)
    assert "epsilon_parameter_epoch" not in figures["noise"]


def test_records_count_every_epoch_that_was_trained_and_the_model_trained_alone() -> None:
    told = experiment(private=PRIVATE)
    budget = Budget(told)
    for event in (trained(1, 3), trained(2, 4), trained(2, 5)):
        budget.recorded(event)
    private = told.learning.privacy
    assert isinstance(private, records.DpSgd)
    sampling = told.learning.sampling(200)

    def spent(epochs: int) -> float:
        return records.spent(private, sampling, epochs=epochs, planned=10).epsilon

    figures = budget.figures()
    assert figures is not None
    assert (figures["records"]["worker"], figures["records"]["epochs"]) == (2, 5)
    assert figures["records"]["epsilon"] == spent(5)
    assert "a record" in str(budget.brief())
    budget.recorded({"kind": "evaluated", "party": 2, "model": "alone", "epoch": 10, "accuracy": 0.5})
    figures = budget.figures()
    assert figures is not None
    assert figures["records"]["epsilon"] == spent(15)


def test_fewer_examples_spend_more() -> None:
    budget = Budget(experiment(private=PRIVATE))
    budget.recorded(trained(1, 3, examples=400))
    budget.recorded(trained(2, 3, examples=100))
    figures = budget.figures()
    assert figures is not None
    assert figures["records"]["worker"] == 2
