"""Random runs of ∝MDL^d, and a naive model that every one of them must equal."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from hypothesis import strategies as st

from mdl.errors import TooFewWorkers
from mdl.party import MANAGER, PartyId
from mdl.protocols import sets as active
from mdl.protocols.policies import (
    AllDownload,
    ContributionDownload,
    Deficit,
    FirstCome,
    QuotaDownload,
    ReservedSeats,
    StaleFirstDownload,
)
from mdl.protocols.versions import Closing
from mdl.schemes.settings import ElGamalSettings, PlainSettings
from mdl.simulator import Network, Simulation, simulate
from mdl.system import Metrics, Training
from mdl.systems.dynamic import Dynamic, Missed, Upload, Values
from tests.tiny import TinyLearner

EXAMPLES = int(os.environ.get("MDL_SCHEDULES", "300"))
"""How many random runs to try: hundreds in every test run, thousands when somebody asks for them."""

FRACTION_BITS = 20


Given: TypeAlias = set[tuple[int, int]]
"""Values of the gradients a worker has given so far: each with its place, as it is encoded."""


class NoisyLearner(TinyLearner):
    """Every epoch of a worker has a gradient unlike any other's at every place, so that it can be told.

    Two draws of noise may agree in one place by chance, and often do once thousands of runs are tried:
    such a draw is thrown away. `given` therefore outlives a worker that dies and comes back.
    """

    def __init__(self, party: PartyId, size: int, given: Given | None = None) -> None:
        super().__init__(party, size)
        self._given: Given = set() if given is None else given
        self._rng = np.random.default_rng([party, len(self._given)])

    def train(self, epoch: int) -> Training:
        start = self._values.astype(np.float64)
        while True:
            noise = self._rng.normal(0, 0.3, len(start))
            values = (start * 0.9 + noise).astype(np.float32)
            encoded = np.rint((start - values) / self.learning_rate * 2**FRACTION_BITS).astype(int)
            new = set(enumerate(encoded.tolist()))
            if self._given.isdisjoint(new):
                break
        self._given |= new
        self._values = values
        return Training(self._values.copy(), 0.0, 1)

    def evaluate(self) -> Metrics:
        return Metrics(loss=0.0, accuracy=0.0)


@dataclass(frozen=True)
class Case:
    """One random run."""

    system: Dynamic
    workers: int
    size: int
    epochs: int
    schedule: int
    network: Network
    delays: Mapping[PartyId, list[float]]
    absences: Mapping[PartyId, list[tuple[float, float | None]]] = field(default_factory=dict)

    def run(self) -> Simulation:
        given: dict[PartyId, Given] = {}
        return simulate(
            self.system,
            lambda party: NoisyLearner(party, self.size, given.setdefault(party, set())),
            workers=self.workers,
            epochs=self.epochs,
            schedule=self.schedule,
            network=self.network,
            delays=lambda party: self.delays.get(party, [0.0]),
            absences=self.absences,
        )


@st.composite
def cases(draw: st.DrawFn, *, leavers: bool = False, plain: bool = True) -> Case:
    workers = draw(st.integers(1, 8))
    threshold = draw(st.integers(1, workers))
    scheme = PlainSettings() if plain else ElGamalSettings(group="insecure64")
    modes: list[Literal["safe", "paper"]] = ["safe"] if plain else ["safe", "paper"]
    mode = draw(st.sampled_from(modes))
    downloads: list[ContributionDownload | AllDownload | QuotaDownload | StaleFirstDownload] = [
        ContributionDownload(),
        AllDownload(),
        QuotaDownload(share=0.4),
        StaleFirstDownload(share=0.4),
    ]
    admissions: list[FirstCome | ReservedSeats | Deficit] = [FirstCome()]
    if mode == "safe":
        patience = draw(st.floats(0.1, 5))
        admissions += [
            ReservedSeats(seats=draw(st.integers(1, threshold)), patience_seconds=patience),
            Deficit(slack=draw(st.floats(0.1, 2)), patience_seconds=patience),
        ]
    system = Dynamic(
        threshold=threshold,
        mode=mode,
        scheme=scheme,
        insecure=True,
        block=draw(st.integers(1, 3)),
        share=draw(st.sampled_from(["minimum", 1.0])),
        selection=draw(st.sampled_from(["random", "balanced", "magnitude"])),
        window=draw(st.integers(1, 3)),
        max_staleness=draw(st.integers(0, 3)),
        admission=draw(st.sampled_from(admissions)),
        download=draw(st.sampled_from(downloads)),
        range=8.0 if plain else 4.0,
        fraction_bits=FRACTION_BITS if plain else 6,
        timeout_seconds=20.0,
    )
    slowness = st.lists(st.floats(0, 4), min_size=1, max_size=3)
    delays = {worker: draw(slowness) for worker in range(1, workers + 1)}
    return Case(
        system,
        workers,
        draw(st.integers(1, 12)),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 2**32)),
        Network(draw(st.sampled_from([0.0, 0.05])), jitter_seconds=draw(st.sampled_from([0.0, 0.3]))),
        delays,
        draw(absences(workers)) if leavers else {},
    )


@st.composite
def absences(draw: st.DrawFn, workers: int) -> dict[PartyId, list[tuple[float, float | None]]]:
    """Some workers vanish at some moment; some of them come back, and may vanish again."""
    found: dict[PartyId, list[tuple[float, float | None]]] = {}
    for worker in draw(st.sets(st.integers(1, workers))):
        moments = sorted(draw(st.lists(st.floats(0, 12), min_size=1, max_size=4, unique=True)))
        pairs: list[tuple[float, float | None]] = list(zip(moments[::2], moments[1::2], strict=False))
        if len(moments) % 2:
            pairs.append((moments[-1], None))
        found[worker] = pairs
    return found


def check(case: Case, simulation: Simulation, plaintext: Callable[[bytes], bytes] = lambda row: row) -> None:
    """Hold a run to the naive model: sums of what was uploaded, each applied once, in the order of closing.

    Args:
        case: what was run.
        simulation: how it went.
        plaintext: gives the encoded gradient in a row of an upload's body.
    """
    if simulation.errors:
        assert isinstance(simulation.errors[MANAGER], TooFewWorkers)
    closed = closed_sets(case, simulation)
    assert all(
        active.sizes(np.array([mask], np.uint64)) == case.system.visibility_threshold(case.workers)
        for mask in closed.values()
    )
    gradients = uploads(case, simulation, plaintext)
    if case.system.fraction_bits == FRACTION_BITS:  # fine enough for no two gradients to look alike
        no_gradient_is_in_two_sums(closed, gradients)
    if case.system.download.type == "all":
        applied_exactly_once(case, simulation, closed, gradients)


def closed_sets(case: Case, simulation: Simulation) -> dict[tuple[int, int], int]:
    """The set of every (version, block) that closed. All workers are told the same, each thing once."""
    found: dict[tuple[int, int], int] = {}
    heard: Counter[tuple[PartyId, int, int]] = Counter()
    for sent in simulation.transcript:
        if isinstance(sent.message, Closing):
            blocks = np.frombuffer(sent.message.blocks, "<u4").tolist()
            sets = active.from_bytes(sent.message.sets, case.workers).tolist()
            for block, mask in zip(blocks, sets, strict=True):
                key = (sent.message.version, block)
                assert found.setdefault(key, mask) == mask
                heard[(sent.receiver, *key)] += 1
    assert not heard or max(heard.values()) == 1
    return found


def uploads(
    case: Case, simulation: Simulation, plaintext: Callable[[bytes], bytes]
) -> dict[tuple[int, int, PartyId], bytes]:
    """What each worker last uploaded for each (version, block): after it came back, it does so afresh."""
    found = {}
    for sent in simulation.transcript:
        if isinstance(sent.message, Upload):
            blocks = np.frombuffer(sent.message.blocks, "<u4").tolist()
            width = len(sent.message.body) // len(blocks)
            for at, block in enumerate(blocks):
                row = sent.message.body[at * width : (at + 1) * width]
                found[sent.message.version, block, sent.sender] = plaintext(row)
    return found


def no_gradient_is_in_two_sums(
    closed: Mapping[tuple[int, int], int], gradients: Mapping[tuple[int, int, PartyId], bytes]
) -> None:
    used: Counter[tuple[PartyId, int, bytes]] = Counter()
    for (version, block), mask in closed.items():
        for worker in active.members(mask):
            used[worker, block, gradients[version, block, worker]] += 1
    assert not used or max(used.values()) == 1


def applied_exactly_once(
    case: Case,
    simulation: Simulation,
    closed: Mapping[tuple[int, int], int],
    gradients: Mapping[tuple[int, int, PartyId], bytes],
) -> None:
    """Where everybody is given every value, the values handed out tell what was applied: replay it."""
    if MANAGER not in simulation.outcomes:
        return
    start = NoisyLearner(MANAGER, case.size).parameters().astype(np.float64)
    padded = np.pad(start, (0, -case.size % case.system.block)).reshape(-1, case.system.block)
    sums = np.zeros(padded.shape, np.int64)
    seen: set[tuple[int, int]] = set()
    for sent in simulation.transcript:
        if not isinstance(sent.message, Values):
            continue
        for block in np.frombuffer(sent.message.blocks, "<u4").tolist():
            key = (sent.message.version, block)
            if key not in seen:
                seen.add(key)
                for worker in active.members(closed[key]):
                    sums[block] += np.frombuffer(gradients[(*key, worker)], "<i4")
    m = case.system.visibility_threshold(case.workers)
    step = 2.0 ** -case.system.grid(case.workers).fraction_bits
    expected = padded - NoisyLearner.learning_rate * sums / m * step
    final = simulation.outcomes[MANAGER].parameters
    np.testing.assert_array_equal(final, expected.reshape(-1)[: case.size].astype(np.float32))
    lost = [sent for sent in simulation.transcript if isinstance(sent.message, Missed)]
    assert len(seen) >= case.epochs * len(padded) or lost
