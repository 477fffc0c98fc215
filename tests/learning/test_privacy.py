import pytest

from mdl.errors import ConfigError
from mdl.learning.privacy import DpSgd, explain, spent
from mdl.privacy.record_level import Sampling

SAMPLING = Sampling(rate=8 / 180, steps=22)


@pytest.mark.parametrize("epsilon", [1e-300, 1e-9, 1e-4])
def test_an_epsilon_that_no_usable_noise_keeps_to_is_refused_by_name(epsilon: float) -> None:
    with pytest.raises(ConfigError, match=r"learning\.privacy\.epsilon: .*, are 20 epochs shown to keep to "):
        DpSgd(epsilon=epsilon).noise_over(20, SAMPLING)


def test_what_models_trained_alone_cost_is_told_in_figures() -> None:
    privacy = DpSgd(noise_multiplier=1.0)
    promise, figure, alone = explain(privacy, SAMPLING, epochs=3, alone=True, own_pace=False)
    once, twice = (spent(privacy, SAMPLING, epochs=epochs, planned=3).epsilon for epochs in (3, 6))
    assert "for each of its records" in promise
    assert f"ε = {once:.3g} at" in figure
    assert f"in all ε = {twice:.3g} at δ = 1e-05" in alone
    assert once < twice
    assert "in all" not in explain(privacy, None, epochs=3, alone=True, own_pace=False)[-1]
