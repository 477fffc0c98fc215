"""A priced scheme gives the values of the plain one, another's bytes, and another's time."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mdl.bench.steps import Exchange, measure
from mdl.reproduction.priced import PricedSettings, Prices, Till, Widths, widths_of
from mdl.reproduction.virtual import AnyVariant, Pace, StandIn, play
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.settings import ElGamalSettings, PlainSettings, Requirements, SchemeSettings
from mdl.simulator import Simulation, simulate
from mdl.simulator.party import as_measured
from mdl.systems.coordinated import Coordinated
from mdl.systems.dynamic import Dynamic
from mdl.vectors import fingerprint
from tests.tiny import tiny

ELGAMAL = ElGamalSettings(group="insecure64")
TOY: dict[str, Any] = {"threshold": 3, "insecure": True, "range": 4.0, "fraction_bits": 8}
SYSTEMS: dict[str, AnyVariant] = {
    "coordinated": Coordinated(**TOY, scheme=ELGAMAL),
    "dynamic": Dynamic(**TOY, scheme=ELGAMAL),
}
SIZE, WORKERS = 60, 5


FREE = Prices(0.0, 0.0, 0.0)


def at(system: AnyVariant, prices: Prices, standing_for: int = 1) -> PricedSettings:
    """Model a system's scheme at these prices."""
    widths = widths_of(system.build_scheme(WORKERS))
    return PricedSettings(
        name="elgamal", widths=widths, prices=prices, standing_for=standing_for, till=Till()
    )


def hiding_by(scheme: SchemeSettings, system: AnyVariant) -> AnyVariant:
    return system.model_copy(update={"scheme": scheme})


def run(system: AnyVariant) -> Simulation:
    simulation = simulate(system, tiny(SIZE), workers=WORKERS, epochs=2)
    assert not simulation.errors
    return simulation


def weights(simulation: Simulation) -> Mapping[int, str]:
    return {party: fingerprint(outcome.parameters) for party, outcome in simulation.outcomes.items()}


def test_the_weights_are_those_of_the_plain_scheme() -> None:
    system = SYSTEMS["coordinated"]
    assert weights(run(hiding_by(at(system, FREE), system))) == weights(
        run(hiding_by(PlainSettings(), system))
    )


def test_the_bytes_are_those_of_the_scheme_that_is_modelled() -> None:
    def traffic(simulation: Simulation) -> list[tuple[str, int]]:
        return sorted((type(sent.message).__name__, sent.size_bytes) for sent in simulation.transcript)

    system = SYSTEMS["coordinated"]
    assert traffic(run(hiding_by(at(system, FREE), system))) == traffic(run(system))


def test_every_step_is_charged_by_its_price() -> None:
    """In an epoch of 3 members a block: 3 encryptions, 3 shares, one opening of each of 60 parameters."""
    system = SYSTEMS["coordinated"]
    scheme = at(system, Prices(encrypt=1e-6, share=1e-4, manager=1e-2))
    simulation = simulate(hiding_by(scheme, system), tiny(SIZE), workers=WORKERS, charge=scheme.till.charge)
    spent = {party: ledger.seconds["cryptography"] for party, ledger in simulation.ledgers.items()}
    assert spent[0] == pytest.approx(1e-2 * SIZE)
    assert sum(seconds for party, seconds in spent.items() if party) == pytest.approx(1.01e-4 * 3 * SIZE)


def test_a_parameter_that_stands_for_ten_costs_ten_times_as_much() -> None:
    """All but the latency of the links, which is that of a message."""

    def seconds(standing_for: int) -> float:
        system = SYSTEMS["coordinated"]
        scheme = at(system, Prices(1e-3, 1e-3, 1e-3), standing_for)
        simulation = play(system, scheme, lambda _: StandIn(SIZE), workers=WORKERS, epochs=2, pace=Pace(1e-9))
        return simulation.seconds

    assert seconds(10) == pytest.approx(10 * seconds(1), rel=0.06)


def test_only_cryptography_is_charged_and_only_once() -> None:
    till = Till()
    till.add(2.0)
    assert till.charge("training", 5.0) == 0.0
    assert till.charge("cryptography", 5.0) == 2.0
    assert till.charge("cryptography", 5.0) == 0.0


def test_the_lower_price_of_each_step_is_taken() -> None:
    assert Prices(1.0, 5.0, 3.0).least(Prices(4.0, 2.0, 3.0)) == Prices(1.0, 2.0, 3.0)


def test_a_scheme_priced_for_another_threshold_is_a_bug() -> None:
    widths = Widths(threshold=2, members_first=False, body=8, hint=8, shown=8, share=8)
    scheme = PricedSettings(name="any", widths=widths, prices=FREE, till=Till())
    with pytest.raises(AssertionError):
        scheme.build(Requirements(5, 3, 3, 1, FixedPoint(4.0, 8)))


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_prices_give_the_time_that_the_scheme_itself_takes(name: str) -> None:
    """Within 40 %, on a noisy machine; on a quiet one 10 % below, as what else is computed is not charged."""
    size, naive = 400, ElGamalSettings(group="insecure256", encoding="exponential", form="naive")
    system = hiding_by(naive, SYSTEMS[name])
    wanted = Requirements(WORKERS, 3, 3, 1, FixedPoint(4.0, 8))
    _, steps = measure(Exchange(naive.build(wanted), wanted, size), 3)
    scheme = at(system, Prices(steps.encrypt / size, steps.share / size, steps.manager / size))

    def seconds(system: AnyVariant, charge: Callable[[str, float], float]) -> float:
        return simulate(
            system, lambda _: StandIn(size), workers=WORKERS, epochs=4, charge=charge, delays=lambda _: [0.05]
        ).seconds

    hidden = seconds(system, lambda what, took: as_measured(what, took) if what == "cryptography" else 0.0)
    assert seconds(hiding_by(scheme, system), scheme.till.charge) == pytest.approx(hidden, rel=0.4)
