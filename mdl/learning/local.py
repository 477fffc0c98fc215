"""One party's model and data: local training and scoring. Implements `mdl.system.Learner`."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from mdl.errors import ConfigError, DataUnavailable, party_name
from mdl.learning import flat, private
from mdl.learning.dataset import Images, Labels
from mdl.learning.descent import Loss, Numbered, cross_entropy, descend, stepper
from mdl.learning.distillation import taught
from mdl.learning.exports import file_of
from mdl.learning.partition import Rows
from mdl.learning.seeds import Purpose, generator, torch_seed
from mdl.learning.settings import LearningSettings
from mdl.party import PartyId
from mdl.schemes.randomness import SystemRandomness
from mdl.system import Batch, Metrics, Opinions, Randomness, Recipe, Training
from mdl.vectors import Floats

_SCORED_AT_ONCE = 256
"""Examples per batch of an evaluation: fast enough, and 50 MiB of activations in the largest CNN here."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Some rows of a data set; batches are made of them on demand.

    Attributes:
        images: shape (N, ...), all of the set.
        labels: shape (N,).
        rows: those meant, shape (n,).
        scale: what images are divided by.
    """

    images: Images
    labels: Labels
    rows: Rows
    scale: float

    def batch(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Make a batch: images as float32 divided by the scale, shape (b, ...), and labels, shape (b,)."""
        # Dividing widens uint8 to float32 on the way: one pass over the pixels.
        images = torch.from_numpy(self.images[rows]) / self.scale
        return images, torch.from_numpy(self.labels[rows])


class LocalLearner:
    """A model, the examples it trains on and those it is scored on.

    Training leaves its result in the model, as evaluation and the next epoch start from the present
    parameters. The optimiser's state is made afresh each epoch: between epochs a system may replace any of
    the parameters, and a velocity or a moment that belongs to others would push them astray. Buffers of a
    model (batch normalisation) are no parameters: they stay as the party's own training left them.

    A model with batch normalisation takes no single example in a step: one that remains at the end of a pass
    goes with the batch before.

    Where it trains privately (`mdl.learning.private`), which examples a step takes, the noise on it and the
    masks of dropout come from secret randomness, so no epoch is like another. All else follows from the seed.

    One thread at a time may call it. Dropout draws from torch's global generator, which is seeded for the
    epoch and put back behind it. How many threads torch uses is for the process to say.

    Args:
        model: with the initial parameters; the learner owns it from now on.
        settings: how to train.
        train: what to train on; no rows for a party without data.
        test: what to score on.
        seed: the experiment's.
        party: whose learner this is.
        plan: of private training; None to train as usual.
        rng: secret randomness, for private training.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: LearningSettings,
        *,
        train: Examples,
        test: Examples,
        seed: int,
        party: PartyId,
        plan: private.Plan | None = None,
        rng: Randomness = SystemRandomness(),
    ) -> None:
        self._model = model
        self._initial = copy.deepcopy(model)
        self._settings = settings
        self._train, self._test = train, test
        self._seed, self._party = seed, party
        self._plan, self._rng = plan, rng
        self._normalises = any(isinstance(layer, private.MIXES_EXAMPLES) for layer in model.modules())

    @property
    def learning_rate(self) -> float:
        """λ."""
        return self._settings.learning_rate

    @property
    def examples(self) -> int:
        """How many examples this party trains on."""
        return len(self._train.rows)

    @property
    def network(self) -> nn.Module:
        """The model; see `mdl.system.OpenLearner`."""
        return self._model

    @property
    def recipe(self) -> Recipe:
        """How to train it; see `mdl.system.OpenLearner`."""
        return self._settings.recipe

    def batches(self, epoch: int, size: int, count: int) -> Iterator[Batch]:
        """Give batches to train on; see `mdl.system.OpenLearner`.

        Raises:
            DataUnavailable: this party has no training data.
        """
        self._check_has_examples()
        for numbers in _slices(self._passes(epoch, size * count), size):
            yield self.numbered(numbers)

    def numbered(self, numbers: NDArray[np.int64]) -> Batch:
        """Give training examples by their numbers; see `mdl.system.Pupil`."""
        return _as_numpy(*self._train.batch(self._train.rows[numbers]))

    def test_batches(self, size: int) -> Iterator[Batch]:
        """Give the test set; see `mdl.system.OpenLearner`."""
        for rows in _slices(self._test.rows, size):
            yield _as_numpy(*self._test.batch(rows))

    @property
    def is_private(self) -> bool:
        """Whether every epoch spends of its examples' privacy."""
        return self._plan is not None

    def parameters(self) -> Floats:
        """Copy the present parameters, shape (t,), float32."""
        return flat.read(self._model)

    def load(self, parameters: Floats) -> None:
        """Replace the parameters by those of a vector of shape (t,)."""
        flat.write(self._model, parameters)

    def train(self, epoch: int) -> Training:
        """Run the local training of `epoch` from the present parameters.

        Raises:
            DataUnavailable: this party has no training data.
            ConfigError: training diverged, so that parameters are no longer numbers; nothing downstream could
                encode them. Or the model normalises over a batch, and is given one example at a time.
        """
        return self._one_epoch(epoch, cross_entropy)

    def learn(self, epoch: int, opinions: Opinions) -> Training:
        """Run the local training of `epoch` on labels and opinions; see `mdl.system.Pupil`.

        Raises:
            DataUnavailable: this party has no training data.
            ConfigError: training is private, or as in `train`.
        """
        if self._plan is not None:
            raise ConfigError(
                [
                    "learning.privacy: dp-sgd takes its steps on labels alone, and accounts for none on "
                    "another model's opinions; leave it out"
                ]
            )
        assert opinions.known.shape == (self.examples,), (
            f"{opinions.known.shape} for {self.examples} examples"
        )
        return self._one_epoch(epoch, taught(opinions))

    def _one_epoch(self, epoch: int, loss: Loss) -> Training:
        self._check_has_examples()
        mean: float | None = None
        noise: float | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._torch_seed(epoch))
            if self._plan is None:
                mean, seen = self._descend(epoch, loss)
            else:
                self._descend_privately(self._plan)
                seen, noise = self.examples, self._plan.noise_multiplier
        parameters = self.parameters()
        if not np.isfinite(parameters).all():
            raise ConfigError(
                [
                    f"learning.learning_rate: training of {party_name(self._party)} diverged in epoch {epoch}"
                    f" at {self.learning_rate:g}; choose a smaller one"
                ]
            )
        return Training(parameters, mean, seen, noise)

    def evaluate(self) -> Metrics:
        """Score the present parameters on the test set."""
        loss, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        self._model.eval()
        with torch.inference_mode():
            for rows in _slices(self._test.rows, _SCORED_AT_ONCE):
                images, labels = self._test.batch(rows)
                scores = self._model(images)
                loss += functional.cross_entropy(scores, labels, reduction="sum")
                right += (scores.argmax(1) == labels).sum()
        count = len(self._test.rows)
        return Metrics(loss=float(loss) / count, accuracy=int(right) / count)

    def exported(self, parameters: Floats, metadata: Mapping[str, str]) -> bytes:
        """Give a model with these parameters as a plain state dict, in the safetensors format.

        Parties that have the same model give the same bytes.

        Args:
            parameters: shape (t,). Those present stay as they are, and may meanwhile train in another thread.
            metadata: to be read without the tensors.
        """
        model = copy.deepcopy(self._model)
        flat.write(model, parameters)
        # The format knows no two names for one tensor, and no layout but the plain one.
        tensors = {name: each.clone().contiguous() for name, each in model.state_dict().items()}
        return file_of(tensors, {"format": "pt", **metadata})

    def alone(self, epochs: int) -> Metrics:
        """Train a fresh copy of the initial model on this party's data for `epochs`, and score it.

        That is what the party reaches without the others. The present parameters stay as they are. Where
        training is private, so is this, with noise of its own: it spends as much as `epochs` epochs more.
        """
        twin = LocalLearner(
            copy.deepcopy(self._initial),
            self._settings,
            train=self._train,
            test=self._test,
            seed=self._seed,
            party=self._party,
            plan=self._plan,
            rng=self._rng,
        )
        for epoch in range(1, epochs + 1):
            twin.train(epoch)
        return twin.evaluate()

    def _torch_seed(self, epoch: int) -> int:
        """The seed of what a model draws in training: dropout.

        In private training it is secret. An example's mask goes by its place in the batch, so one example
        more gives others behind it other masks; who knows the masks would see more of it than its clipped
        gradient.
        """
        if self._plan is not None:
            return self._rng.below(1 << 63)
        return torch_seed(self._seed, Purpose.LOCAL_TRAINING, self._party, epoch)

    def _check_has_examples(self) -> None:
        if not self.examples:
            raise DataUnavailable(f"the {party_name(self._party)} has no training data")

    def _steps(self, epoch: int) -> Iterator[Numbered]:
        """Each step's batch: one pass, ending with what remains; or `local_steps` full ones.

        What remains is more than one example, or goes with the batch before, where a batch is normalised.
        """
        steps, batch = self._settings.local_steps, self._settings.batch
        count = self.examples if steps is None else steps * batch
        least = min(batch, 2) if self._normalises else 1
        for numbers in _slices(self._passes(epoch, count), batch, least=least):
            yield *self._train.batch(self._train.rows[numbers]), numbers

    def _passes(self, epoch: int, count: int) -> Rows:
        """Give the numbers of so many examples, in the epoch's order; anew in another when all were there."""
        rng = generator(self._seed, Purpose.DATA_ORDER, self._party, epoch)
        passes = -(-count // self.examples)
        return np.concatenate([rng.permutation(self.examples) for _ in range(passes)])[:count]

    def _descend(self, epoch: int, loss: Loss) -> tuple[float, int]:
        """Take a step per batch; give the mean loss and the number of examples seen."""
        try:
            return descend(self._model, self._settings, self._steps(epoch), loss)
        except ValueError as error:
            if not self._normalises or min(self._settings.batch, self.examples) > 1:
                raise
            who = party_name(self._party)
            raise ConfigError(
                [
                    f"learning.batch: the model of {who} normalises over a batch, and one example is none"
                    f" ({self.examples} examples, {self._settings.batch} a step)"
                ]
            ) from error

    def _descend_privately(self, plan: private.Plan) -> None:
        """Take a step per noisy gradient."""
        self._model.train()
        step = stepper(self._model, self._settings)
        steps = private.noisy_gradients(self._model, self._train.batch, self._train.rows, plan, rng=self._rng)
        for _ in steps:
            step()


def _as_numpy(images: torch.Tensor, labels: torch.Tensor) -> Batch:
    return images.numpy(), labels.numpy()


def _slices(rows: Rows, size: int, *, least: int = 1) -> Iterator[Rows]:
    """Cut rows into slices of a size, and one of what remains; fewer than `least` go with the one before."""
    starts = [start for start in range(0, len(rows), size) if not start or len(rows) - start >= least]
    return (rows[start:end] for start, end in pairwise([*starts, len(rows)]))
