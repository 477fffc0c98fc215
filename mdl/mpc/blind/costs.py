"""What questions cost, before a run: some are tried in memory, on images of zeros."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from mdl.mpc.blind import encrypted
from mdl.mpc.blind.both_ways import Own, Question, asked
from mdl.mpc.blind.plan import steps
from mdl.mpc.blind.setup import dealt as begun_with_a_dealer
from mdl.mpc.blind.telling import Answers
from mdl.mpc.blind.translation import plan_of, weights_of
from mdl.mpc.rounds import PhaseTraffic, play
from mdl.system import Randomness


@dataclass(frozen=True)
class Costs:
    """Of the questions of both in one epoch.

    Attributes:
        phases: what is sent, by name.
        cpu_seconds: over all parties, as far as computing goes.
    """

    phases: Mapping[str, PhaseTraffic]
    cpu_seconds: float

    @property
    def rounds(self) -> int:
        """In all."""
        return sum(phase.rounds for phase in self.phases.values())

    @property
    def sent_bytes(self) -> int:
        """By all."""
        return sum(phase.sent_bytes for phase in self.phases.values())


def tried(
    networks: Sequence[nn.Module],
    shape: Sequence[int],
    rows: Sequence[int],
    answers: Answers,
    *,
    dealt: bool,
    rng: Randomness,
) -> Costs:
    """Let two parties ask each other in this thread. What is sent is exact: it does not depend on the data.

    Args:
        networks: of the two, without `mdl.mpc.blind.fitness.problems`.
        shape: of an image.
        rows: how many each of the two asks about, one at least.
        answers: what they are told.
        dealt: whether there is a dealer.
        rng: of keys.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a party's process
    try:
        parties = range(2 + dealt)
        begin = begun_with_a_dealer if dealt else encrypted.begun
        sources, _ = play({party: begin(party, rng) for party in parties})
        questions = [
            Question(asker, count, shape, steps(plan_of(networks[1 - asker]), tuple(shape)), answers)
            for asker, count in enumerate(rows)
            if count
        ]
        owns = [
            Own(torch.zeros(count, *shape, dtype=torch.int64), weights_of(network))
            for count, network in zip(rows, networks, strict=True)
        ] + [Own()] * dealt
        start = time.process_time()
        _, traffic = play({party: asked(party, sources[party], questions, owns[party]) for party in parties})
        return Costs(traffic.phases, time.process_time() - start)
    finally:
        torch.set_num_threads(threads)
