import pytest

from mdl.privacy.settings import GaussianNoise, LaplaceNoise
from mdl.systems.coordinated import Coordinated
from mdl.systems.dynamic import Dynamic
from mdl.systems.promises import explain_noise, explain_spending

MLP_MNIST = 140_106
PAPER = Coordinated(visibility=0.5, privacy=LaplaceNoise(epsilon=0.5))
GAUSSIAN = Coordinated(visibility=0.5, privacy=GaussianNoise(clip=8.0, noise_multiplier=4.0))


def test_without_noise_nothing_is_promised() -> None:
    system = Coordinated(visibility=0.5)
    assert explain_noise(system, workers=8, parameters=MLP_MNIST) == []
    assert explain_spending(system, workers=8, parameters=MLP_MNIST, epochs=250) is None


@pytest.mark.parametrize("system", [Coordinated, Dynamic])
def test_check_says_it_among_the_rest(system: type[Coordinated] | type[Dynamic]) -> None:
    noisy = system(visibility=0.5, privacy=LaplaceNoise(epsilon=0.5))
    [said] = [each for each in noisy.explain(8, MLP_MNIST) if each.startswith("Privacy:")]
    assert said in explain_noise(noisy, workers=8, parameters=MLP_MNIST)
    assert not any(each.startswith("Privacy:") for each in system(visibility=0.5).explain(8, MLP_MNIST))


def test_the_papers_setting_is_called_what_it_is() -> None:
    [said] = explain_noise(PAPER, workers=8, parameters=MLP_MNIST)
    assert "clipped to ±0.5" in said
    assert "noise of scale 2 before" in said
    assert "For each parameter and epoch this is ε = 0.5" in said
    assert "70,053 parameters that a worker contributes in one epoch" in said
    assert "a noise level, not a guarantee" in said
    assert "standard deviation 1.41 [∝MDL, Theorem 1]" in said  # sqrt(2 / (0.25 * 4))
    assert "4 - c noises protect the others" in said


def test_what_is_spent_in_250_epochs_of_the_papers_setting_is_added_up() -> None:
    assert explain_spending(PAPER, workers=8, parameters=MLP_MNIST, epochs=250) == (
        "Privacy spent by each worker in 250 epochs: ε = 2.2 million, δ = 1e-06 (added up by zCDP, "
        "tighter at the price of δ): a noise level, not a "
        "guarantee (added up plainly: 8.76 million = 0.5 x 70,053 parameters x 250 epochs)."
    )


def test_what_is_spent_little_of_is_not_called_a_noise_level() -> None:
    assert explain_spending(GAUSSIAN, workers=8, parameters=MLP_MNIST, epochs=1) == (
        "Privacy spent by each worker in one epoch: ε = 1.14, δ = 1e-06 (added up by zCDP, "
        "tighter at the price of δ)."
    )


def test_gaussian_noise_says_what_is_left_against_coalitions() -> None:
    [said] = explain_noise(GAUSSIAN, workers=8, parameters=MLP_MNIST)
    assert "scaled to a norm of 8 at most" in said
    assert "standard deviation 64 a value (z = 4)" in said
    assert "For each epoch's whole contribution this is ε = 1.14, δ = 1e-06 (added up by zCDP, " in said
    assert "for c = 0, 1, 2, 3 this is ε = 0.545, 0.635, 0.789, 1.14" in said


def test_sums_of_values_that_may_saturate_are_given_no_figure_of_their_own() -> None:
    narrow = GAUSSIAN.model_copy(update={"range": 300.0})
    [said] = explain_noise(narrow, workers=8, parameters=MLP_MNIST)
    assert "What sums give away is counted as what contributions do" in said
    assert "values must not saturate (±300 is given, ±679.1 needed)" in said
    assert "for c =" not in said


def test_random_selection_contributes_what_each_worker_draws() -> None:
    drawn = Coordinated(visibility=0.5, selection="random", share=0.7, block=100)
    assert drawn.contributed_parameters(8, 10_050) == 7_100  # of 101 blocks 71
    assert drawn.contributed_parameters(8, 50) == 50
    spare = Coordinated(visibility=0.5, spare=2)
    assert spare.contributed_parameters(8, 1000) == 750


def test_a_range_too_narrow_for_the_noise_is_warned_of_with_the_share_that_saturates() -> None:
    narrow = Coordinated(visibility=0.5, range=8.0, privacy=LaplaceNoise(epsilon=0.5))
    _, warning = explain_noise(narrow, workers=8, parameters=MLP_MNIST)
    assert warning.startswith("Warning: up to 1.89% of the noisy values will not fit ±8 and saturate")
    assert "need ±27.69" in warning


def test_a_grid_too_coarse_for_the_norm_is_warned_of() -> None:
    coarse = Coordinated(
        visibility=0.5, fraction_bits=6, privacy=GaussianNoise(clip=1.0, noise_multiplier=4.0)
    )
    _, warning = explain_noise(coarse, workers=8, parameters=MLP_MNIST)
    assert warning.startswith("Warning: the grid of 6 fraction bits is coarse for a norm of 1")
