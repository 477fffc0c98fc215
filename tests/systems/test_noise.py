"""Noise between training and encryption: drawn once, summed exactly, agreed on, as wide as promised."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest

from mdl.party import MANAGER, Party, PartyId
from mdl.privacy.ldp import mean_variance
from mdl.privacy.settings import AnyNoise, GaussianNoise, LaplaceNoise, NoNoise
from mdl.protocols import sets as active
from mdl.protocols.versions import Closing
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.settings import (
    AnyScheme,
    ElGamalSettings,
    PaillierSettings,
    PairwiseSettings,
    PlainSettings,
    PrssSettings,
    RlweSettings,
)
from mdl.simulator import Network, Simulation, simulate
from mdl.system import Learner, Outcome, Task, Training
from mdl.systems.coordinated import Coordinated
from mdl.systems.coordinated.worker import Worker as CoordinatedWorker
from mdl.systems.dynamic import Dynamic, Upload
from mdl.systems.dynamic.worker import Worker as DynamicWorker
from mdl.vectors import fingerprint
from tests.tiny import TinyLearner, tiny

LAPLACE = LaplaceNoise(epsilon=2.0)
GAUSSIAN = GaussianNoise(clip=1.0, noise_multiplier=0.4)
NOISES = [LAPLACE, GAUSSIAN]


class SeededCoordinated(Coordinated):
    """Workers draw their noise from a seed, their number, so that runs can be compared."""

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        if party.id == MANAGER:
            return await super().run(party, learner, task)
        return await CoordinatedWorker(self, party, learner, task, rng=insecure_seeded(party.id)).run()


class SeededDynamic(Dynamic):
    """Likewise."""

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        if party.id == MANAGER:
            return await super().run(party, learner, task)
        return await DynamicWorker(self, party, learner, task, rng=insecure_seeded(party.id)).run()


class StillLearner(TinyLearner):
    """Learns nothing: its gradient is zero, and what is contributed is noise alone."""

    def train(self, epoch: int) -> Training:
        return Training(self._values.copy(), 0.0, 1)


def weights(simulation: Simulation) -> dict[PartyId, str]:
    assert not simulation.errors
    return {party: fingerprint(outcome.parameters) for party, outcome in simulation.outcomes.items()}


def in_turn(workers: int) -> Callable[[PartyId], Sequence[float]]:
    """One worker after the other, so that sets do not depend on how long an exchange takes."""
    return lambda party: [0.8 + 0.2 * party] if 1 <= party <= workers else [0.0]


SCHEMES: Mapping[str, AnyScheme] = {
    "elgamal": ElGamalSettings(group="insecure64"),
    "paillier": PaillierSettings(modulus="insecure512"),
    "prss": PrssSettings(),
    "rlwe": RlweSettings(),
    "pairwise": PairwiseSettings(),
}


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.type)
@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_sums_the_same_noisy_gradients(name: str, noise: AnyNoise) -> None:
    def run(scheme: AnyScheme) -> dict[PartyId, str]:
        system = SeededCoordinated(
            threshold=3, insecure=True, block=256, range=16.0, fraction_bits=5, scheme=scheme, privacy=noise
        )
        assert not system.problems(5)
        return weights(simulate(system, tiny(600), workers=5, epochs=2))

    assert run(SCHEMES[name]) == run(PlainSettings())


@pytest.mark.parametrize("name", ["elgamal", "prss", "rlwe"])
def test_at_everybodys_own_pace_too(name: str) -> None:
    def run(scheme: AnyScheme) -> str:
        system = SeededDynamic(
            threshold=3,
            insecure=True,
            block=256,
            share=1.0,
            range=16.0,
            fraction_bits=5,
            scheme=scheme,
            privacy=LAPLACE,
        )
        return weights(simulate(system, tiny(600), workers=5, epochs=2, delays=in_turn(5)))[MANAGER]

    assert run(SCHEMES[name]) == run(PlainSettings())


@pytest.mark.parametrize("scheme", [PlainSettings(), PrssSettings()], ids=lambda scheme: scheme.type)
@pytest.mark.parametrize("noise", [*NOISES, LaplaceNoise(epsilon=0.1)], ids=str)
def test_the_mean_of_a_set_has_the_variance_of_theorem_1(scheme: AnyScheme, noise: AnyNoise) -> None:
    """[∝MDL, Theorem 1], through the whole run: 2 / (epsilon^2 |A|) for gamma = 1/2."""
    size = 40_000
    system = SeededCoordinated(threshold=4, scheme=scheme, privacy=noise)
    simulation = simulate(system, lambda party: StillLearner(party, size), workers=8)
    changed = StillLearner(0, size).parameters() - simulation.outcomes[MANAGER].parameters
    mean = changed.astype(np.float64) / StillLearner.learning_rate
    assert mean.var() == pytest.approx(mean_variance(noise, 4), rel=0.03)
    assert abs(mean.mean()) < 5 * (mean_variance(noise, 4) / size) ** 0.5


def test_theorem_1_holds_at_everybodys_own_pace() -> None:
    size = 40_000
    system = SeededDynamic(threshold=4, share=1.0, scheme=PlainSettings(), privacy=LAPLACE)
    simulation = simulate(
        system,
        lambda party: StillLearner(party, size),
        workers=4,
        delays=in_turn(4),
        network=Network(latency_seconds=0.01),
    )
    changed = StillLearner(0, size).parameters() - simulation.outcomes[MANAGER].parameters
    mean = changed.astype(np.float64) / StillLearner.learning_rate
    assert mean.var() == pytest.approx(mean_variance(LAPLACE, 4), rel=0.03)


def test_what_comes_too_late_is_offered_again_as_it_was() -> None:
    """Noise drawn anew for a gradient that has been sent would let the two be averaged."""
    system = Dynamic(
        threshold=3,
        share=1.0,
        scheme=PlainSettings(),
        privacy=LaplaceNoise(epsilon=0.01),
        max_staleness=1000,
    )
    simulation = simulate(
        system,
        tiny(40),
        workers=7,
        epochs=6,
        network=Network(latency_seconds=0.3, jitter_seconds=0.2),
        delays=in_turn(7),
    )
    assert not simulation.errors
    closed: dict[tuple[int, int], int] = {}
    sent: dict[tuple[PartyId, int], list[tuple[int, bytes]]] = {}
    for each in simulation.transcript:
        match each.message:
            case Closing(version, blocks, sets):
                masks = active.from_bytes(sets, 7).tolist()
                closed |= {(version, block): mask for block, mask in zip(ids(blocks), masks, strict=True)}
            case Upload(version, blocks, body):
                rows = [body[4 * at : 4 * at + 4] for at in range(len(blocks) // 4)]
                assert len(body) == 4 * len(rows)
                for block, row in zip(ids(blocks), rows, strict=True):
                    sent.setdefault((each.sender, block), []).append((version, row))
    again = 0
    for (worker, block), uploads in sent.items():
        for (version, row), (_, next_row) in pairwise(uploads):
            was_late = worker not in active.members(closed[version, block])
            assert (row == next_row) == was_late, "a new gradient has other noise, an old one the same"
            again += was_late
    assert again > 50


def ids(packed: bytes) -> list[int]:
    return [int(each) for each in np.frombuffer(packed, "<u4")]


@pytest.mark.parametrize("system", [Coordinated, Dynamic])
def test_the_record_says_what_was_clipped_and_for_how_many_values_noise_was_drawn(
    system: type[Coordinated] | type[Dynamic],
) -> None:
    def updates(privacy: NoNoise | AnyNoise) -> list[Mapping[str, float]]:
        simulation = simulate(system(threshold=3, block=2, privacy=privacy), tiny(7), workers=5, epochs=3)
        assert not simulation.errors
        return [record for record in simulation.records if record["kind"] == "updated"]

    assert all({"clipped", "noised"}.isdisjoint(update) for update in updates(NoNoise()))
    noisy = updates(LaplaceNoise(epsilon=1.0, clip=0.1))
    assert sum(update["clipped"] for update in noisy) > 0
    assert all(update["clipped"] <= update["noised"] <= 7 for update in noisy)
    assert sum(update["noised"] for update in noisy) > 0


def test_the_time_that_noise_takes_has_its_line_in_the_ledger() -> None:
    simulation = simulate(Coordinated(threshold=3, privacy=LAPLACE), tiny(), workers=4)
    assert all("noise" in simulation.ledgers[worker].seconds for worker in (1, 2, 3, 4))


def test_parties_agree_on_the_noise_and_on_the_grid_that_follows_from_it() -> None:
    mild, strong = (
        Coordinated(threshold=4, privacy=LaplaceNoise(epsilon=value)).terms(8) for value in (1.0, 0.1)
    )
    different = {key for key in mild if mild[key] != strong[key]}
    assert different == {"system.privacy.epsilon", "system.range"}
    assert float(strong["system.range"]) == pytest.approx(10 * float(mild["system.range"]), rel=0.02)


@pytest.mark.parametrize("value", [0.01, 0.1, 1.0])
@pytest.mark.parametrize(
    "scheme",
    [
        PlainSettings(),
        PrssSettings(),
        RlweSettings(),
        ElGamalSettings(),
        PaillierSettings(),
        PairwiseSettings(),
    ],
    ids=lambda scheme: scheme.type,
)
def test_the_grid_for_noise_is_the_finest_that_a_scheme_has_room_for(scheme: AnyScheme, value: float) -> None:
    noise = LaplaceNoise(epsilon=value)
    system = Coordinated(visibility=0.5, block=16_384, scheme=scheme, privacy=noise)
    assert not system.problems(8)
    grid = system.grid(8)
    assert grid.range == noise.reach
    if grid.fraction_bits < 12:
        finer = system.model_copy(update={"fraction_bits": grid.fraction_bits + 1})
        assert finer.problems(8)


def test_noise_for_which_a_scheme_has_no_room_is_told_with_what_to_change() -> None:
    noise = LaplaceNoise(epsilon=1e-4)
    [problem] = Coordinated(visibility=0.5, scheme=ElGamalSettings(), privacy=noise).problems(8)
    assert problem.startswith("system.privacy: with noise values reach ±1.382e+05")
    assert "raise system.privacy.epsilon" in problem
    [problem] = Coordinated(
        visibility=0.5, scheme=ElGamalSettings(form="grid"), privacy=LaplaceNoise(epsilon=1.0)
    ).problems(8)
    assert problem.startswith("system.scheme: form = "), "what has nothing to do with noise is told as ever"


def test_selection_by_magnitude_shows_what_no_noise_covers() -> None:
    system = Dynamic(threshold=3, selection="magnitude", privacy=LAPLACE)
    assert any(problem.startswith('system.selection: "magnitude" shows') for problem in system.problems(5))
    study = Dynamic(threshold=3, selection="magnitude", privacy=LAPLACE, insecure=True)
    assert not study.problems(5)
    assert not Dynamic(threshold=3, selection="magnitude").problems(5)


def test_a_clip_that_the_range_does_not_hold_is_a_problem() -> None:
    system = Coordinated(threshold=3, range=0.25, privacy=LAPLACE)
    [problem] = system.problems(5)
    assert problem.startswith("system.range: ±0.25 does not even hold")
