"""A party's part in one training: engine, network and optimiser, and what is run on them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mdl.errors import MdlError
from mdl.mpc.engine import Engine
from mdl.mpc.fixed import PARAMETER_BITS, decoded, encoded
from mdl.mpc.links import Links
from mdl.mpc.networks import Network
from mdl.mpc.optimisers import Optimiser
from mdl.mpc.rounds import Protocol, phase, together
from mdl.mpc.secret import Secret, concatenated, read, written
from mdl.mpc.training import loss, one_hot, right_answers, rows_of_each, step
from mdl.party import PartyId
from mdl.system import Arrays, Batch, Recipe
from mdl.vectors import Floats

_OPTIMISER: Final = "optimiser"
_STEPS: Final = "steps"
_BITS: Final = "parameter bits"


class Session:
    """What a party trains with.

    Args:
        links: to the others.
        engine: the party's.
        network: on secrets.
        optimiser: of its parameters.
        recipe: how to train.
        examples: how many each holder has, in the order of the engine's numbers.
        example: the shape of one.
        reveals_loss: whether losses of batches are added up, in secret, to be opened as their mean.

    Attributes:
        number: this party's; a dealer's is that after the holders'.
        steps: in an epoch.
        own_rows: examples that this party puts into a batch; none if it is a dealer.
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
        *,
        reveals_loss: bool = False,
    ) -> None:
        self._links, self._engine, self._network, self._optimiser = links, engine, network, optimiser
        self.number = engine.party
        self._rows = rows_of_each(recipe.batch, len(examples))
        self.own_rows = [*self._rows, 0][engine.party]
        self.steps = recipe.local_steps or max(1, sum(examples) // recipe.batch)
        self._classes = network.layers[-1].parameters["bias"].shape[0]
        self._example = example
        self._right: Secret | None = None
        self._reveals_loss = reveals_loss
        self._loss: Secret | None = None
        self._seen = 0
        self._taken = 0

    async def step(self, batch: Batch | None) -> None:
        """Train on a batch, of which these are this party's examples; a dealer has none."""
        await self._links.drive(self._step(batch))

    async def _step(self, batch: Batch | None) -> None:
        pixels, targets = self._inputs(batch)
        shared = await phase(
            "inputs",
            together(*self._shares(self._example, pixels), *self._shares([self._classes], targets)),
        )
        owners = len(self._rows)
        images, labels = concatenated(shared[:owners]), concatenated(shared[owners:])
        answers = await step(self._engine, self._network, self._optimiser, images, labels)
        if self._reveals_loss:
            found = await phase("loss", loss(self._engine, answers, labels))
            self._loss = found if self._loss is None else self._loss + found
            self._seen += sum(self._rows)
        self._taken += 1

    def _inputs(self, batch: Batch | None) -> tuple[Tensor | None, Tensor | None]:
        if batch is None:
            return None, None
        images, labels = (torch.from_numpy(np.asarray(each)) for each in batch)
        return encoded(images), one_hot(labels, self._classes)

    def _shares(self, row: Sequence[int], own: Tensor | None) -> list[Protocol[Secret]]:
        """Share what every holder puts in, each as many rows of a shape as are due."""
        return [
            self._engine.share(owner, own if owner == self.number else None, torch.Size([rows, *row]))
            for owner, rows in enumerate(self._rows)
        ]

    async def mean_loss(self) -> float | None:
        """Let all holders know the mean training loss since this was asked last; None for a dealer."""
        assert self._loss is not None
        total = decoded(await self._links.drive(self._engine.open(self._loss))).item()
        mean = total / self._seen
        self._loss, self._seen = None, 0
        return mean if self.number < len(self._rows) else None

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
        inputs = self._inputs(batch)
        if owner is None:
            images, labels = (engine.public(each) for each in inputs if each is not None)
        else:
            shapes = torch.Size([rows, *self._example]), torch.Size([rows, self._classes])
            images, labels = await together(
                *(engine.share(owner, each, shape) for each, shape in zip(inputs, shapes, strict=True))
            )
        found = await phase("scoring", right_answers(engine, self._network, images, labels))
        self._right = found if self._right is None else self._right + found

    async def scores(self, owner: PartyId, rows: int, images: Floats | None) -> Floats | None:
        """Have the network answer so many images of one party, which alone learns the scores.

        Args:
            owner: the number of the party that shares them.
            rows: how many.
            images: shape (rows, ...), for the owner; None for the others.

        Returns:
            Shape (rows, classes), for the owner.
        """
        found = await self._links.drive(self._scores(owner, rows, images))
        return None if found is None else decoded(found).numpy()

    async def _scores(self, owner: PartyId, rows: int, images: Floats | None) -> Tensor | None:
        engine = self._engine
        own = None if images is None else encoded(torch.from_numpy(np.asarray(images)))
        secret = await phase("inputs", engine.share(owner, own, torch.Size([rows, *self._example])))
        return await engine.open_to(owner, await self._network.forward(engine, secret))

    async def right_answers(self) -> int:
        """Let all know the count, and begin a new one."""
        assert self._right is not None
        found = await self._links.drive(self._engine.open(self._right))
        self._right = None
        return int(found)

    async def opened(self, receiver: PartyId | None = None) -> NDArray[np.float64] | None:
        """Let all holders, or the one of this number, know the parameters, shape (t,), in the order of torch.

        Returns:
            The parameters; None for who is not told.
        """
        if receiver is None:
            whole = await self._links.drive(self._network.opened(self._engine))
            return whole.numpy() if self.number < len(self._rows) else None
        mine = await self._links.drive(self._network.opened_to(self._engine, receiver))
        return None if mine is None else mine.numpy()

    async def settle(self, network: nn.Module, receiver: PartyId | None = None) -> None:
        """Let all holders, or the one of this number, know the running statistics.

        Args:
            network: the one that was translated; statistics are written into that of who is told.
            receiver: who is told; None for all holders.
        """
        await self._links.drive(self._network.settle(self._engine, network, receiver))

    # -------------------------------------------------------------------------------------- checkpoints

    async def verify(self) -> None:
        """Verify all that was computed: whoever takes up its `state` later could not.

        Raises:
            CheatingDetected: somebody did not follow the protocol.
        """
        await self._links.drive(self._engine.check())

    def state(self) -> dict[str, NDArray[Any]]:
        """Give this party's shares: parameters, running statistics, what the optimiser remembers."""
        shares = {
            f"{name}.{part}": values.numpy()
            for name, secret in self._secrets().items()
            for part, values in enumerate(written(secret))
        }
        return {**shares, _STEPS: np.array(self._taken), _BITS: np.array(PARAMETER_BITS)}

    async def restore(self, kept: Arrays) -> None:
        """Take up the shares of a checkpoint, as all others do at the same time.

        Raises:
            MdlError: it is one of another network, or of a version with parameters of other fraction bits.
            CheatingDetected: the others' is of another epoch or start; only some engines notice.
        """
        if _STEPS not in kept:
            raise MdlError("the checkpoint is not of this network: not the same experiment")
        if _BITS not in kept or int(kept[_BITS]) != PARAMETER_BITS:
            raise MdlError(
                "the checkpoint is of another version of mdl, with other fraction bits: begin the run again"
            )
        self._taken = int(kept[_STEPS])
        before = self._secrets()
        found = [_read(kept, name, like) for name, like in before.items()]
        secrets = dict(zip(before, await self._links.drive(self._engine.resumed(found)), strict=True))
        layers = self._network.layers
        remembered = self._optimiser.state(layers)
        self._optimiser.restore({name: secrets[f"{_OPTIMISER}.{name}"] for name in remembered}, self._taken)
        for number, layer in enumerate(layers):
            for held in (layer.parameters, layer.statistics):
                held.update({name: secrets[f"{number}.{name}"] for name in held})

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
    count = len(like.parts)
    try:
        return read([torch.from_numpy(np.array(kept[f"{name}.{part}"])) for part in range(count)], like)
    except (KeyError, ValueError):
        raise MdlError(
            "the checkpoint is not of this network: not the same experiment, or one of a version of mdl that"
            " shares otherwise"
        ) from None
