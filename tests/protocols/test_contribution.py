import numpy as np
import pytest

from mdl.errors import OutOfRange
from mdl.privacy.settings import LaplaceNoise
from mdl.protocols.contribution import Contribution, Encoder
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import insecure_seeded
from mdl.simulator import Network, simulate
from mdl.simulator.run import MemoryJournal
from mdl.systems.coordinated import Coordinated, Upload
from mdl.systems.dynamic import Dynamic
from mdl.vectors import Blocks, Floats
from tests.protocols.parties import play, star_of
from tests.tiny import tiny

BLOCKS = Blocks(parameters=7, size=2)
GRID = FixedPoint(64.0, 8)
GRADIENT = np.linspace(-3, 3, 7)
CHOSEN = np.array([True, False, False, True])
NOISE = LaplaceNoise(epsilon=1.0)


def contribution(noise: LaplaceNoise | None, gradient: Floats = GRADIENT) -> Contribution:
    encoder = Encoder(BLOCKS, GRID, noise.mechanism(GRID) if noise else None, insecure_seeded(1))
    found = []

    async def story() -> None:
        found.append(await encoder.contribution(star_of(1, [])[1], gradient, CHOSEN))

    play(story)
    return found[0]


def test_without_noise_it_is_the_whole_gradient_on_the_grid() -> None:
    made = contribution(None)
    np.testing.assert_array_equal(made.values, BLOCKS.split(GRID.encode(GRADIENT)[0]))
    assert made.facts == {"saturated": 0}
    assert contribution(None, GRADIENT * 100).facts == {"saturated": 6}


def test_with_noise_nothing_else_is_in_it_than_what_is_contributed() -> None:
    made = contribution(NOISE)
    assert made.values.shape == (4, 2)
    assert not made.values[~CHOSEN].any()
    assert (made.values[CHOSEN] != BLOCKS.split(GRID.encode(GRADIENT)[0])[CHOSEN]).all()
    # Of the seven parameters the first two and the last, all beyond the clip; the padding is none.
    assert made.facts == {"saturated": 0, "clipped": 3, "noised": 3}


@pytest.mark.parametrize("noise", [None, NOISE])
def test_a_gradient_that_is_not_finite_is_refused(noise: LaplaceNoise | None) -> None:
    with pytest.raises(OutOfRange, match="not finite"):
        contribution(noise, GRADIENT * np.nan)


def test_every_upload_of_noisy_values_was_counted_before() -> None:
    """Also those of a worker that dies with its epoch unfinished, of which no other line tells."""
    simulation = simulate(
        Coordinated(threshold=3, privacy=NOISE),
        tiny(7),
        workers=5,
        epochs=3,
        network=Network(latency_seconds=0.1),
        delays=lambda _party: [1.0],
        leave={5: 2.75},
    )
    noised = [line for line in simulation.records if line["kind"] == "noised"]
    counted = {(line["party"], line["epoch"]): line for line in noised}
    for sent in simulation.transcript:
        if isinstance(sent.message, Upload):
            assert counted[sent.sender, sent.message.epoch]["seconds"] <= sent.seconds
    ended = {(line["party"], line["epoch"]) for line in simulation.records if line["kind"] == "updated"}
    assert (5, 2) in counted.keys() - ended


@pytest.mark.parametrize("system", [Coordinated, Dynamic])
def test_releases_are_counted_over_all_parts_of_a_run(system: type[Coordinated] | type[Dynamic]) -> None:
    journals = {party: MemoryJournal() for party in range(6)}

    def counts(resume: int) -> list[tuple[int, int]]:
        found = simulate(
            system(threshold=3, share=1.0, privacy=NOISE),
            tiny(7),
            workers=5,
            epochs=3,
            resume=resume,
            journals=journals,
        )
        lines = [line for line in found.records if line["kind"] == "noised" and line["party"] == 1]
        return [(line["contributions"], line["parameters"]) for line in lines]

    first = counts(0)
    assert [contributions for contributions, _ in first] == list(range(1, len(first) + 1))
    again = counts(2)
    assert again[0][0] == len(first) + 1
    assert again[0][1] > first[-1][1]


def test_without_noise_nothing_is_counted() -> None:
    simulation = simulate(Coordinated(threshold=3), tiny(7), workers=5)
    assert not [line for line in simulation.records if line["kind"] == "noised"]
