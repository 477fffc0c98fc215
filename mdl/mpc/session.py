"""A party's part in one training: engine, network and optimiser, and what is run on them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mdl.errors import MdlError
from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.fixed import encoded
from mdl.mpc.keystream import KEY_BYTES
from mdl.mpc.links import Links
from mdl.mpc.networks import Network
from mdl.mpc.optimisers import Optimiser
from mdl.mpc.rep3 import Rep3
from mdl.mpc.rounds import Exchange, Protocol, Wanted, together
from mdl.mpc.secret import Secret, concatenated
from mdl.mpc.training import one_hot, right_answers, step
from mdl.party import PartyId
from mdl.system import Arrays, Batch, Randomness, Recipe
from mdl.vectors import Floats

_OPTIMISER: Final = "optimiser"
_STEPS: Final = "steps"


async def begun(number: PartyId, rounding: Rounding, rng: Randomness) -> Rep3:
    """Make a party's engine: each draws the key of its own component, and hands it to the one before.

    Party 0 draws the common key.
    """
    own, common = (_tensor(rng.bytes(KEY_BYTES)) for _ in range(2))
    before, after = (number + 2) % 3, (number + 1) % 3
    size = torch.Size([KEY_BYTES])
    sends = [(before, own)] + ([(1, common), (2, common)] if number == 0 else [])
    wants = [Wanted(after, size, torch.uint8)] + ([] if number == 0 else [Wanted(0, size, torch.uint8)])
    following, *given = await Exchange(sends, wants)
    mine, next_one, for_all = (each.numpy().tobytes() for each in (own, following, *given, common)[:3])
    return Rep3(number, mine, next_one, for_all, rounding)


def _tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


class Session:
    """What a party trains with.

    Args:
        links: to the others.
        engine: the party's.
        network: on secrets.
        optimiser: of its parameters.
        recipe: how to train.
        examples: how many each party has, in the order of the engine's numbers.
        example: the shape of one.

    Attributes:
        number: this party's.
        steps: in an epoch.
        own_rows: examples that this party puts into a batch.
    """

    def __init__(
        self,
        links: Links,
        engine: Engine,
        network: Network,
        optimiser: Optimiser,
        recipe: Recipe,
        examples: Sequence[int],
        example: Sequence[int],
    ) -> None:
        self._links, self._engine, self._network, self._optimiser = links, engine, network, optimiser
        self.number, count = engine.party, len(examples)
        self._rows = [recipe.batch // count + (number < recipe.batch % count) for number in range(count)]
        self.own_rows = self._rows[engine.party]
        self.steps = recipe.local_steps or max(1, sum(examples) // recipe.batch)
        self._classes = network.layers[-1].parameters["bias"].shape[0]
        self._example = example
        self._right: Secret | None = None
        self._taken = 0

    async def step(self, images: Floats, labels: NDArray[np.int64]) -> None:
        """Train on a batch, of which these are this party's examples."""
        await self._links.drive(self._step(images, labels))

    async def _step(self, images: Floats, labels: NDArray[np.int64]) -> None:
        pixels, targets = self._inputs(images, labels)
        shared = await together(*self._shares(pixels), *self._shares(targets))
        owners = len(self._rows)
        batch = concatenated(shared[:owners]), concatenated(shared[owners:])
        await step(self._engine, self._network, self._optimiser, *batch)
        self._taken += 1

    def _inputs(self, images: Floats, labels: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        pixels = encoded(torch.from_numpy(np.asarray(images)))
        return pixels, one_hot(torch.from_numpy(np.asarray(labels)), self._classes)

    def _shares(self, own: Tensor) -> list[Protocol[Secret]]:
        """Share what every party puts in, each as many rows as are due."""
        return [
            self._engine.share(
                owner, own if owner == self._engine.party else None, torch.Size([rows, *own.shape[1:]])
            )
            for owner, rows in enumerate(self._rows)
        ]

    async def answer(self, owner: PartyId | None, rows: int, batch: Batch | None) -> None:
        """Have the network answer so many test examples, and add how many are right to a secret count.

        Args:
            owner: the number of the party that shares them; None if all have them.
            rows: how many.
            batch: the examples, for who has them.
        """
        await self._links.drive(self._answer(owner, rows, batch))

    async def _answer(self, owner: PartyId | None, rows: int, batch: Batch | None) -> None:
        engine = self._engine
        inputs = None if batch is None else self._inputs(*batch)
        if owner is None:
            assert inputs is not None
            images, labels = (engine.public(each) for each in inputs)
        else:
            shapes = torch.Size([rows, *self._example]), torch.Size([rows, self._classes])
            images, labels = await together(
                *(
                    engine.share(owner, each, shape)
                    for each, shape in zip(inputs or (None, None), shapes, strict=True)
                )
            )
        found = await right_answers(engine, self._network, images, labels)
        self._right = found if self._right is None else self._right + found

    async def right_answers(self) -> int:
        """Let all know the count, and begin a new one."""
        assert self._right is not None
        found = await self._links.drive(self._engine.open(self._right))
        self._right = None
        return int(found)

    async def opened(self) -> NDArray[np.float64]:
        """Let all know the parameters, shape (t,), in the order of torch."""
        found = await self._links.drive(self._network.opened(self._engine))
        return found.numpy()

    async def settle(self, network: nn.Module) -> None:
        """Let all know the running statistics, and put them into the network that was translated."""
        await self._links.drive(self._network.settle(self._engine, network))

    # -------------------------------------------------------------------------------------- checkpoints

    def state(self) -> dict[str, NDArray[Any]]:
        """Give this party's shares: parameters, running statistics, what the optimiser remembers."""
        shares = {
            f"{name}.{part}": values.numpy()
            for name, secret in self._secrets().items()
            for part, values in enumerate(secret.parts)
        }
        return {**shares, _STEPS: np.array(self._taken)}

    def restore(self, kept: Arrays) -> None:
        """Take up the shares of a checkpoint.

        Raises:
            MdlError: it is one of another network.
        """
        layers = self._network.layers
        self._taken = int(kept[_STEPS])
        before = self._optimiser.state(layers)
        self._optimiser.restore(
            {name: _read(kept, f"{_OPTIMISER}.{name}", secret) for name, secret in before.items()},
            self._taken,
        )
        for number, layer in enumerate(layers):
            for held in (layer.parameters, layer.statistics):
                held.update({name: _read(kept, f"{number}.{name}", each) for name, each in held.items()})

    def _secrets(self) -> Mapping[str, Secret]:
        layers = self._network.layers
        found = {
            f"{number}.{name}": secret
            for number, layer in enumerate(layers)
            for name, secret in {**layer.parameters, **layer.statistics}.items()
        }
        remembered = {
            f"{_OPTIMISER}.{name}": secret for name, secret in self._optimiser.state(layers).items()
        }
        return {**found, **remembered}


def _read(kept: Arrays, name: str, like: Secret) -> Secret:
    try:
        parts = [torch.from_numpy(np.array(kept[f"{name}.{part}"])) for part in range(len(like.parts))]
    except KeyError:
        raise MdlError("the checkpoint is not of this network: not the same experiment") from None
    if any(part.shape != like.shape for part in parts):
        raise MdlError("the checkpoint is not of this network: not the same experiment")
    return Secret(tuple(parts), like.units)
