"""A party's steps with its own learner and journal, off the event loop and on the record."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from numpy.typing import NDArray

from mdl.errors import DamagedRecord, MdlError
from mdl.party import Party
from mdl.protocols.releases import count_private
from mdl.system import Arrays, Learner, Metrics, Task, Training
from mdl.vectors import Floats

_REMOVE_IT: Final = (
    "remove it to go on from the epoch before, if all parties still have that one; where workers go at their "
    "own pace, begin a new run"
)


async def train_from(party: Party, learner: Learner, start: Floats, task: Task, epoch: int) -> Floats:
    """Train one local epoch from `start`; give the parameters after it, shape (t,), float32.

    A private epoch is put on record before anything of it can leave (`mdl.protocols.releases`).
    """
    training = await party.to_thread("training", _train, learner, start, epoch)
    if task.delay_seconds:
        # A slow worker, as the experiment asks for (heterogeneous computation power, [∝MDL, §VI-B d]).
        await asyncio.sleep(task.delay_seconds[(epoch - 1) % len(task.delay_seconds)])
    if training.loss is not None:
        party.record("trained", epoch, loss=training.loss, examples=training.examples)
    else:
        counts = await party.to_thread("record", count_private, task.journal, training.examples)
        noise = training.noise_multiplier
        party.record("trained", epoch, **counts, **({} if noise is None else {"noise_multiplier": noise}))
    return training.parameters


async def scored(party: Party, learner: Learner, parameters: Floats, *, epoch: int, model: str) -> Metrics:
    """Score `parameters` on the test set and record the result as that of `model`."""
    metrics = await party.to_thread("evaluation", _evaluate, learner, parameters)
    party.record("evaluated", epoch, model=model, loss=metrics.loss, accuracy=metrics.accuracy)
    return metrics


async def checkpoint(party: Party, task: Task) -> Arrays:
    """Give a party's record of the epoch that the run goes on from.

    Raises:
        MdlError: there is none, or it cannot be read.
    """
    kept = await party.to_thread("record", kept_model, task.journal.read, task.resume)
    if kept is None:
        raise MdlError(f"there is no checkpoint of epoch {task.resume}")
    return kept


def kept_model(read: Callable[[str, int], Arrays | None], epoch: int) -> Arrays | None:
    """Give a party's checkpoint by its journal's `read` or `newest`, or None if there is none.

    Raises:
        DamagedRecord: it cannot be read. It may be removed: it keeps nothing from being opened again.
    """
    try:
        return read("model", epoch)
    except DamagedRecord as error:
        raise DamagedRecord(error.path, error.why, _REMOVE_IT) from None


class Keeper:
    """Keeps a worker's model from epoch to epoch, and scores it as often as the experiment asks."""

    def __init__(self, party: Party, learner: Learner, task: Task, *, model: str = "own") -> None:
        self._party, self._learner, self._task, self._model = party, learner, task, model
        self._scored: tuple[int, Metrics] | None = None

    async def restored(self, start: Floats) -> Floats:
        """Give the parameters to begin with: those of the checkpoint in a resumed run, else `start`."""
        kept = await self.kept(start)
        return start if kept is None else kept["parameters"]

    async def kept(self, start: Floats) -> Arrays | None:
        """Give the checkpoint that a resumed run goes on from, of a model like `start`; None without one."""
        if not self._task.resume:
            return None
        kept = await self._party.to_thread("record", kept_model, self._task.journal.newest, self._task.resume)
        return fitting(kept, start) if kept else None

    async def is_behind(self) -> bool:
        """Whether the model here may be an older one: this party comes back, or lacks a checkpoint."""
        if self._task.rejoin:
            return True
        if not self._task.resume:
            return False
        kept = await self._party.to_thread("record", kept_model, self._task.journal.read, self._task.resume)
        return kept is None

    async def epoch_done(self, epoch: int, parameters: Floats, **more: NDArray[Any]) -> None:
        """Write the checkpoint, and into it whatever `more` is to be kept; score the model if it is due."""
        state = {"parameters": parameters, **more}
        await self._party.to_thread("record", self._task.journal.write, "model", epoch, state)
        self._party.record("done", epoch)
        every = self._task.evaluate_every
        if every and epoch % every == 0:
            await self.score(epoch, parameters)

    async def score(self, epoch: int, parameters: Floats) -> Metrics:
        """Score the model of an epoch and record the result; once, however often this is asked."""
        if self._scored is None or self._scored[0] != epoch:
            metrics = await scored(self._party, self._learner, parameters, epoch=epoch, model=self._model)
            self._scored = epoch, metrics
        return self._scored[1]

    async def finish(self, epoch: int, parameters: Floats) -> None:
        """Score the model if the last epoch's was not."""
        await self.score(epoch, parameters)


def fitting(kept: Arrays, start: Floats) -> Arrays:
    """Give a checkpoint back if it is one of this model.

    Raises:
        MdlError: it has another number of parameters.
    """
    count = len(kept["parameters"])
    if count != len(start):
        raise MdlError(
            f"the checkpoint has {count} parameters and the model {len(start)}: not the same experiment"
        )
    return kept


def _train(learner: Learner, start: Floats, epoch: int) -> Training:
    learner.load(start)
    return learner.train(epoch)


def _evaluate(learner: Learner, parameters: Floats) -> Metrics:
    learner.load(parameters)
    return learner.evaluate()
