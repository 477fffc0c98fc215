"""What a training step costs, before a run: one is tried in memory, on images of zeros, and verified."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import nn

from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.engines import begun
from mdl.mpc.networks import Network, secretly
from mdl.mpc.optimisers import chosen
from mdl.mpc.rounds import PhaseTraffic, Protocol, Traffic, phase, play, together
from mdl.mpc.secret import Secret, concatenated
from mdl.mpc.security import SECURITY, SecurityName
from mdl.mpc.training import rows_of_each, step
from mdl.party import PartyId
from mdl.system import Randomness, Recipe

_SMALL: Final = 16
"""Examples in a batch that has rows of every holder."""

_REPETITIONS: Final = 4

_PATIENCE_SECONDS: Final = 3.0
"""Of processor time, after which a step is not tried again: enough for a second one of network C."""


@dataclass(frozen=True)
class Plan:
    """What is to be trained, and how.

    Attributes:
        network: a `torch.nn.Sequential`.
        example: the shape of one.
        classes: how many.
        recipe: how; its batch is that of all holders.
        security: the engine's name.
        holders: how many parties share the secrets.
        rounding: of quotients.
    """

    network: nn.Module
    example: Sequence[int]
    classes: int
    recipe: Recipe
    security: SecurityName
    holders: int
    rounding: Rounding

    @property
    def parties(self) -> range:
        """The holders' numbers, and the dealer's if there is one."""
        return range(self.holders + SECURITY[self.security].dealer)


@dataclass(frozen=True)
class StepCosts:
    """Of one step.

    Attributes:
        rounds: in which somebody sends.
        sent_bytes: by party.
        phases: by name.
        waits: rounds in which somebody waits for what is computed meanwhile. A dealer's messages are there
            before: it waits for nobody.
        turns: of all parties in these rounds.
        cpu_seconds: over all parties, as far as computing goes: without sealing and sending.
    """

    rounds: int
    sent_bytes: Mapping[PartyId, int]
    phases: Mapping[str, PhaseTraffic]
    waits: int
    turns: int
    cpu_seconds: float


def tried(plan: Plan, rng: Randomness) -> StepCosts:
    """Run a step of all parties in this thread. What is sent is exact: it does not depend on the data.

    The time is the least of some steps': the first ones pay for what is done but once.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a party's process
    try:
        with torch.inference_mode():
            _run(replace(plan, recipe=replace(plan.recipe, batch=_SMALL)), rng)
            found = [_run(plan, rng)]
            while len(found) < _REPETITIONS and sum(each.cpu_seconds for each in found) < _PATIENCE_SECONDS:
                found.append(_run(plan, rng))
        return min(found, key=lambda each: each.cpu_seconds)
    finally:
        torch.set_num_threads(threads)


def _run(plan: Plan, rng: Randomness) -> StepCosts:
    engines = _engines(plan, rng)
    networks = {party: secretly(engine, plan.network) for party, engine in engines.items()}
    begin = time.process_time()
    traffic = _played(plan, engines, networks)
    cpu_seconds = time.process_time() - begin
    alike = {receiver for _, _, receiver, _ in traffic.messages}
    turns = {(number, receiver) for number, sender, receiver, _ in traffic.messages if sender in alike}
    waits = {number for number, _ in turns}
    return StepCosts(traffic.rounds, traffic.sent_bytes, traffic.phases, len(waits), len(turns), cpu_seconds)


def _engines(plan: Plan, rng: Randomness) -> dict[PartyId, Engine]:
    found, _ = play(
        {number: begun(plan.security, number, plan.holders, plan.rounding, rng) for number in plan.parties}
    )
    return found


def _played(plan: Plan, engines: Mapping[PartyId, Engine], networks: Mapping[PartyId, Network]) -> Traffic:
    rows = rows_of_each(plan.recipe.batch, plan.holders)

    async def program(party: PartyId) -> None:
        engine = engines[party]

        def shares(*row: int) -> list[Protocol[Secret]]:
            shapes = [torch.Size([count, *row]) for count in rows]
            return [
                engine.share(owner, torch.zeros(shape, dtype=torch.int64) if owner == party else None, shape)
                for owner, shape in enumerate(shapes)
            ]

        shared = await phase("inputs", together(*shares(*plan.example), *shares(plan.classes)))
        batch = concatenated(shared[: plan.holders]), concatenated(shared[plan.holders :])
        optimiser = chosen(
            plan.recipe.optimiser,
            rate=0.01,
            batch=plan.recipe.batch,
            momentum=plan.recipe.momentum,
        )
        await step(engine, networks[party], optimiser, *batch)
        await phase("verification", engine.check())

    # Kept, they would be memory that the next ones could not use again, as in a run they do.
    _, traffic = play({party: program(party) for party in engines}, kept=False)
    return traffic
