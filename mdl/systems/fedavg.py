"""Federated averaging, in the clear: the yardstick that users know.

McMahan, Moore, Ramage, Hampson, Agüera y Arcas, "Communication-Efficient Learning of Deep Networks from
Decentralized Data", AISTATS 2017, with every worker taking part in every round. The manager sees each
worker's parameters: nothing is hidden.
"""

import builtins
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from mdl.errors import MdlError, PeerLeft, TooFewWorkers
from mdl.party import MANAGER, Message, Party, PartyId, broadcast
from mdl.protocols.attendance import attendance
from mdl.protocols.convergence import Convergence
from mdl.protocols.gathering import each
from mdl.protocols.local import Keeper, checkpoint, fitting, scored, train_from
from mdl.protocols.pieces import Piece, receive_latest, receive_whole, send_whole
from mdl.settings import Settings
from mdl.system import Crypto, Learner, Outcome, Randomness, Task, Traits, star
from mdl.vectors import Floats


class Global(Piece, frozen=True):
    """Manager to workers: the global parameters, float32. Train from them."""


class Local(Piece, frozen=True):
    """Worker to manager: its parameters after a local epoch, float32."""


class Finish(Message, frozen=True):
    """Manager to workers: there is no further epoch."""

    reason: str


class FedAvg(Settings):
    """The `[system]` table for `type = "fedavg"`.

    Attributes:
        timeout_seconds: how long the manager waits for a worker's parameters, training included.
    """

    type: Literal["fedavg"] = "fedavg"
    timeout_seconds: Annotated[float, Gt(0)] = 300.0

    @property
    def crypto(self) -> Crypto:
        """Nothing is encrypted."""
        return "none"

    @property
    def own_pace(self) -> bool:
        """An epoch is everybody's."""
        return False

    @property
    def tolerates_loss(self) -> bool:
        """The run goes on with whoever is left."""
        return True

    def problems(self, workers: int) -> Sequence[str]:
        """See `System`: none."""
        del workers
        return []

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        size = 8 * workers * parameters
        return [
            "Nothing is hidden: the manager sees every worker's parameters after each epoch.",
            f"{size / 1e6:.1f} MB an epoch over all links: 4 bytes a parameter up and down, for each worker.",
        ]

    def traits(self, workers: int) -> Traits:
        """See `System`."""
        del workers
        return Traits(
            learns="manager: every worker's parameters after each epoch; workers: the global model",
            loss="the run goes on with the others",
        )

    def terms(self, workers: int) -> Mapping[str, str]:
        """See `System`."""
        del workers
        return {}

    def roster(self, workers: int) -> Sequence[PartyId]:
        """The manager and the workers."""
        return range(workers + 1)

    def links(self, workers: int) -> Sequence[tuple[PartyId, PartyId]]:
        """A star."""
        return star(workers)

    def receives(self, party: PartyId) -> Sequence[builtins.type[Message]]:
        """See `System`."""
        return (Local,) if party == MANAGER else (Global, Finish)

    def deal(self, workers: int, *, rng: Randomness) -> Mapping[PartyId, bytes]:
        """Nothing to deal."""
        del workers, rng
        return {}

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play the manager's part, or a worker's."""
        if party.id == MANAGER:
            return await _manage(self, party, learner, task)
        return await _work(party, learner, task)


async def _work(party: Party, learner: Learner, task: Task) -> Outcome:
    keeper = Keeper(party, learner, task)
    local, epoch = await keeper.restored(learner.parameters()), task.resume
    try:
        while True:
            told = await receive_latest(party, Global, Finish, sender=MANAGER, entries=len(local))
            if isinstance(told, Finish):
                break
            begun, start = told
            trained = await train_from(party, learner, np.frombuffer(start, "<f4"), task, begun)
            await send_whole(party, MANAGER, Local, begun, trained.astype("<f4").tobytes())
            local, epoch = trained, begun
            await keeper.epoch_done(epoch, local)
    except PeerLeft:
        # A worker that was too late finds the manager gone. If it said why, all is well; if not, this fails
        # again.
        told = (await party.receive(Finish, sender=MANAGER)).message
    await keeper.finish(epoch, local)
    return Outcome(epoch, told.reason, local)


async def _manage(system: FedAvg, party: Party, learner: Learner, task: Task) -> Outcome:
    parameters, progress = learner.parameters(), Convergence(task.stop)
    if task.resume:
        kept = fitting(await checkpoint(party, task), parameters)
        parameters, progress = kept["parameters"], Convergence.restored(task.stop, kept["progress"])
    epoch, reason = task.resume, "the manager was stopped"
    try:
        while epoch < task.epochs and not progress.done:
            epoch += 1
            async with attendance(party) as crew:  # who comes back takes part from the next epoch on
                parameters = await _average(system, crew, parameters, epoch)
            progress.note(await scored(party, learner, parameters, epoch=epoch, model="global"))
            state = {"parameters": parameters, "progress": progress.state()}
            await party.to_thread("record", task.journal.write, "model", epoch, state)
        reason = progress.reason or "all epochs done"
    except MdlError as error:
        reason = f"the manager gave up: {error}"
        raise
    finally:
        await broadcast(party, party.peers, Finish(reason), within=system.timeout_seconds)
    return Outcome(epoch, reason, parameters)


async def _average(system: FedAvg, party: Party, parameters: Floats, epoch: int) -> Floats:
    """One round: hand out, collect, take the mean of what came."""
    present = list(party.peers)

    async def converse(worker: PartyId) -> Floats:
        await send_whole(party, worker, Global, epoch, parameters.astype("<f4").tobytes())
        answer = await receive_whole(party, Local, sender=worker, epoch=epoch, entries=len(parameters))
        assert isinstance(answer, bytes)  # it waits for no other kind
        return np.frombuffer(answer, "<f4")

    found = await each({worker: converse(worker) for worker in present}, within=system.timeout_seconds)
    if not found:
        raise TooFewWorkers(f"epoch {epoch}: no worker answered", present)
    party.record("epoch", epoch, opened=0, missed=0, present=len(found))
    total: NDArray[np.float64] = np.zeros(len(parameters))
    for worker in sorted(found):
        total += found[worker]
    mean = total / len(found)
    return mean.astype(np.float32)
