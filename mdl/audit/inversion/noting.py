"""Systems that keep what each worker contributed: its gradient as encoded, with the noise that it added.

A worker knows that of itself, and no message shows it. Nothing else of a system is changed.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import PrivateAttr

from mdl.party import Party, PartyId
from mdl.protocols.contribution import Contribution, Encoder
from mdl.system import Randomness
from mdl.systems import AnySystem, Coordinated, Dynamic
from mdl.vectors import Blocks, Flags, Floats, Integers


@dataclass(frozen=True, eq=False)
class Notes:
    """What workers contributed, epoch after epoch."""

    _by_worker: dict[PartyId, list[Integers]] = field(default_factory=lambda: defaultdict(list))

    def put(self, worker: PartyId, values: Integers) -> None:
        """Note the contribution of a worker's next epoch, shape (blocks, size)."""
        self._by_worker[worker].append(values)

    def by_epoch(self) -> Mapping[tuple[PartyId, int], Integers]:
        """Give all contributions, by worker and epoch."""
        return {
            (worker, epoch): values
            for worker, made in self._by_worker.items()
            for epoch, values in enumerate(made, start=1)
        }


def noting(system: AnySystem, notes: Notes) -> AnySystem:
    """Have a system's workers note what they contribute; one that encodes nothing is given back as it is."""
    made: _NotingCoordinated | _NotingDynamic
    match system:
        case Coordinated():
            made = _NotingCoordinated.model_construct(**dict(system))
        case Dynamic():
            made = _NotingDynamic.model_construct(**dict(system))
        case _:
            return system
    made._notes = notes
    return made


class _NotingCoordinated(Coordinated):
    _notes: Notes = PrivateAttr()

    def encoder(self, workers: int, blocks: Blocks, *, rng: Randomness) -> Encoder:
        return _noting_encoder(Coordinated.encoder(self, workers, blocks, rng=rng), self._notes)


class _NotingDynamic(Dynamic):
    _notes: Notes = PrivateAttr()

    def encoder(self, workers: int, blocks: Blocks, *, rng: Randomness) -> Encoder:
        return _noting_encoder(Dynamic.encoder(self, workers, blocks, rng=rng), self._notes)


@dataclass(frozen=True)
class _NotingEncoder(Encoder):
    notes: Notes

    async def contribution(self, party: Party, gradient: Floats, chosen: Flags) -> Contribution:
        made = await Encoder.contribution(self, party, gradient, chosen)
        self.notes.put(party.id, made.values)
        return made


def _noting_encoder(encoder: Encoder, notes: Notes) -> Encoder:
    return _NotingEncoder(encoder.blocks, encoder.grid, encoder.mechanism, encoder.rng, notes)
