"""What a system is, and what it asks of a learner.

A *system* is one paper: a frozen value read from the experiment file that knows its parties, their links,
the messages each may receive, and the coroutine that each party runs. It reaches the world through a
`Party`, its model through a `Learner`, and what must outlive a crash through a `Journal`; so the same code
runs over real links and on the simulator's virtual clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mdl.party import Message, Party, PartyId
from mdl.vectors import Floats

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

Crypto: TypeAlias = Literal["none", "thread", "processes"]
"""Where cryptography is done: nowhere, in a thread of its own, or in a pool of processes of its own."""


class Randomness(Protocol):
    """Secret randomness. The operating system's everywhere but in tests (`mdl.schemes.randomness`)."""

    def bytes(self, count: int, /) -> bytes:
        """Draw `count` uniform bytes."""

    def below(self, bound: int, /) -> int:
        """Draw a uniform integer in [0, bound)."""


@dataclass(frozen=True)
class Metrics:
    """A model's mean loss and its accuracy in [0, 1] on the test set."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Training:
    """What one local epoch gave.

    Attributes:
        parameters: after the epoch, shape (t,), float32.
        loss: mean training loss over the epoch; None where training is private: then the parameters, which
            hold noise, are all that may be told of the data.
        examples: how many were seen; where training is private, how many there are to draw from.
        noise_multiplier: of DP-SGD; None where training is not private.
    """

    parameters: Floats
    loss: float | None
    examples: int
    noise_multiplier: float | None = None


class Learner(Protocol):
    """A party's model and its data. All methods block: call them through `Party.to_thread`."""

    @property
    def learning_rate(self) -> float:
        """λ."""

    def parameters(self) -> Floats:
        """The parameters as one float32 vector of shape (t,). Who has the same model has the same start."""

    def load(self, parameters: Floats) -> None:
        """Replace the model's parameters."""

    def train(self, epoch: int) -> Training:
        """Train for one epoch (or the experiment's number of local steps) from the present parameters.

        The order of the data depends on the experiment's seed, the party and `epoch` alone, so an epoch
        that is repeated from the same parameters gives the same result, unless training is private.
        """

    def evaluate(self) -> Metrics:
        """Score the present parameters on the test set."""


Batch: TypeAlias = tuple[Floats, NDArray[np.int64]]
"""Examples, float32, shape (n, ...) as the network takes them; their labels, shape (n,)."""


Optimiser: TypeAlias = Literal["sgd", "momentum", "adam", "amsgrad"]
"""Rules of one step: p - λ g; with a velocity; Adam; Adam whose second moments never shrink."""


@dataclass(frozen=True)
class Recipe:
    """How an experiment wants a network trained, for systems that do it themselves.

    Attributes:
        batch: examples in a step.
        momentum: in [0, 1).
        local_steps: in an epoch; None for as many as take all examples once.
        common_test: whether all parties have the same test set, or each one of its own.
        optimiser: the rule of one step.
    """

    batch: int
    momentum: float
    local_steps: int | None
    common_test: bool
    optimiser: Optimiser


@runtime_checkable
class OpenLearner(Learner, Protocol):
    """A learner that hands out its network and its examples, for systems that train on them themselves."""

    @property
    def network(self) -> Any:
        """The model, with its initial parameters until others are loaded: a `torch.nn.Module`."""

    @property
    def recipe(self) -> Recipe:
        """How to train it."""

    @property
    def examples(self) -> int:
        """How many examples there are to train on."""

    def batches(self, epoch: int, size: int, count: int) -> Iterator[Batch]:
        """Give batches to train on in an epoch, beginning anew when all examples have been in one."""

    def test_batches(self, size: int) -> Iterator[Batch]:
        """Give the test set in batches, the last one smaller."""


@dataclass(frozen=True)
class Opinions:
    """What another model says of a party's own training examples.

    Attributes:
        scores: its logits, shape (n, classes), float32; any finite value where nothing is known.
        known: where there is an opinion to learn from, shape (n,), bool.
        weight: α ≥ 0 of the divergence in the loss.
        temperature: T > 0, by which scores are softened.
        labels: learn the best class of the scores as a label, which nothing softens.
    """

    scores: NDArray[np.float32]
    known: NDArray[np.bool_]
    weight: float
    temperature: float
    labels: bool = False


@runtime_checkable
class Pupil(OpenLearner, Protocol):
    """A learner that learns from another model's answers to its own examples, too."""

    def numbered(self, numbers: NDArray[np.int64]) -> Batch:
        """Give training examples by their numbers in [0, examples).

        In every run with the same seed an example has the same number.
        """

    def learn(self, epoch: int, opinions: Opinions) -> Training:
        """Train for one epoch, as `train` does, on labels and opinions.

        The loss of an example is its cross-entropy, and where an opinion is known besides
        α T² KL(softmax(scores / T) ‖ softmax(own / T)). With nothing known it does what `train` does, bit for
        bit. It needs training that is not private.
        """


@dataclass(frozen=True)
class Stop:
    """End a run when `metric` of the global model has not improved for `patience` epochs."""

    patience: int
    metric: str = "accuracy"


KEPT: Final = 2
"""Epochs of which a journal keeps the record of a name.

Parties end an epoch one after the other, so the last but one may be the last that all have.
"""


class Journal(Protocol):
    """What a party keeps on disk, so that a run can be resumed. All methods block and write atomically."""

    def write(self, name: str, epoch: int, arrays: Arrays) -> None:
        """Keep `arrays` as the record `name` of `epoch`.

        Records of the name that lie `KEPT` epochs back go; later ones never do.
        """

    def read(self, name: str, epoch: int) -> Arrays | None:
        """Give back the record `name` of `epoch`, or None if there is none."""

    def newest(self, name: str, until: int) -> Arrays | None:
        """Give back the record `name` of the latest epoch up to `until`, or None if there is none."""


@dataclass(frozen=True)
class Task:
    """One party's part in one run.

    Attributes:
        run: the run's identity, fresh for every start (a resumed run is another): binds messages and nonces
            to it.
        seed: experiment randomness; never used for anything secret.
        workers: n.
        epochs: how many to train for.
        evaluate_every: the workers' own models are scored every so many epochs (the global one always), 0
            for only at the end.
        stop: end early, or None.
        delay_seconds: by epoch - 1, how long this party pauses after training (heterogeneous workers), and
            from the first again where there are more epochs; empty for never.
        resume: the last epoch that all parties completed in an earlier run, 0 for a new run. Where parties go
            at their own pace, the last that this one completed.
        rejoin: whether this party was in this very run before, and left it; `resume` is then what its own
            records reach.
        credentials: what the trusted authority gave this party, opaque to all but the system.
        journal: this party's records.
    """

    run: bytes
    seed: int
    workers: int
    epochs: int
    evaluate_every: int
    stop: Stop | None
    delay_seconds: Sequence[float]
    resume: int
    credentials: bytes = field(repr=False)
    journal: Journal
    rejoin: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a party's part ended.

    Attributes:
        epochs: the last epoch completed.
        reason: why it ended there (``"all epochs done"``, ``"converged"``...).
        parameters: the final model, shape (t,): the global one at the manager, its own at a worker.
    """

    epochs: int
    reason: str
    parameters: Floats


EVERYBODY: Final = "all workers"
"""To whom a model is opened that all are told (`Secrecy.opened`)."""


@dataclass(frozen=True)
class Secrecy:
    """What a computation on secrets rests on, a few words each, to be said of a run when it is done.

    Attributes:
        model: the security model, by its name in the experiment file and its usual one.
        together: who, putting together what they have, would know everything.
        deviating: what a party can do that does not follow the protocol.
        opened: to whom the model was.
        rounding: of quotients.
    """

    model: str
    together: str
    deviating: str
    opened: str
    rounding: str


@dataclass(frozen=True)
class Traits:
    """What a figure cannot say of a system, a line each, for tables that set systems side by side.

    docs/security.md says the first in full, the systems' own pages the second.

    Attributes:
        learns: who learns what of whom, if all follow the protocol, and which coalition learns everything.
        loss: what happens when a worker is lost.
        beside: what party 0 is, who has no data of its own, in runs that have one.
        secrecy: of a system that computes on secrets from the first step to the last.
    """

    learns: str
    loss: str
    beside: str = "manager"
    secrecy: Secrecy | None = None


class System(Protocol):
    """A way to train: one paper. A frozen value."""

    @property
    def tolerates_loss(self) -> bool:
        """Whether the run goes on when a worker leaves."""

    @property
    def own_pace(self) -> bool:
        """Whether every party counts its own epochs: a resumed run goes on from each one's own."""

    @property
    def crypto(self) -> Crypto:
        """Where a party's cryptography is done."""

    def problems(self, workers: int) -> Sequence[str]:
        """What is impossible or insecure with n = `workers`: a sentence each, beginning with the key."""

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """Say what a run will do: who sees what, thresholds, security, capacity, costs. A paragraph each."""

    def traits(self, workers: int) -> Traits:
        """Give what sets a run with n = `workers` apart from those of other systems."""

    def terms(self, workers: int) -> Mapping[str, str]:
        """What both ends of a link must agree on before the first epoch: public names and values."""

    def roster(self, workers: int) -> Sequence[PartyId]:
        """All parties of a run with n = `workers`."""

    def links(self, workers: int) -> Sequence[tuple[PartyId, PartyId]]:
        """The pairs of parties that talk, (listener, caller)."""

    def receives(self, party: PartyId) -> Sequence[type[Message]]:
        """The kinds of message that `party` may receive. The transport refuses anything else."""

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Be the trusted authority: make each party's credentials, then forget every secret."""

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play `party`'s part from the first epoch to the last."""


@runtime_checkable
class Answering(Protocol):
    """A system whose model can stay shared, and answers without being opened."""

    async def answer(
        self, party: Party, learner: Learner, task: Task, asker: PartyId, images: Floats | None
    ) -> Floats | None:
        """Play `party`'s part in classifying images that one worker has.

        Args:
            party: the party's door.
            learner: whose network it is.
            task: of the run whose model is asked, after `task.resume` epochs.
            asker: the worker that asks.
            images: shape (n, ...), at the asker; None at all others, which learn n alone.

        Returns:
            The scores, shape (n, classes), at the asker; None at all others.
        """


def star(workers: int) -> Sequence[tuple[PartyId, PartyId]]:
    """Every worker calls the manager."""
    return [(0, worker) for worker in range(1, workers + 1)]
