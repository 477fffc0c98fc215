"""∝MDL^c with workers that come and go, or hang: it goes on, and opens no gradient a second time."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.errors import MdlError, PeerLeft, ProtocolError, TooFewWorkers
from mdl.party import MANAGER, Message, Party, PartyId
from mdl.protocols import sets as active
from mdl.protocols.opening import Answer, Closed, Open
from mdl.protocols.pooled import encrypted
from mdl.schemes.settings import ElGamalSettings, PairwiseSettings, PlainSettings
from mdl.schemes.threshold import Ciphertext, Context, KeyShare, ThresholdEncryption
from mdl.simulator import Absence, Network, Simulation, simulate
from mdl.system import Learner, Outcome, Task
from mdl.systems.coordinated import (
    CallbackDownload,
    CallbackUpload,
    Coordinated,
    Download,
    EpochBegins,
    Finish,
    Register,
    Upload,
)
from mdl.systems.coordinated import worker as coordinated_worker
from mdl.vectors import Floats, Integers, fingerprint, unpack_flags
from tests.systems.comings import Trainings, Watched, absences, seconds_each
from tests.tiny import TinyLearner, tiny

WORKERS = 5
TOY = Coordinated(
    threshold=3,
    scheme=ElGamalSettings(group="insecure64"),
    insecure=True,
    range=4.0,
    fraction_bits=8,
    timeout_seconds=10.0,
)
PLAIN = TOY.model_copy(update={"scheme": PlainSettings()})
NETWORK = Network(latency_seconds=0.05, jitter_seconds=0.05)


def epochs(simulation: Simulation) -> dict[int, Mapping[str, Any]]:
    return {record["epoch"]: record for record in simulation.records if record["kind"] == "epoch"}


def closed_sets(simulation: Simulation) -> dict[int, active.Sets]:
    """What the manager announced, by epoch; it tells everybody the same."""
    told: dict[tuple[PartyId, int], list[bytes]] = {}
    for sent in simulation.transcript:
        if isinstance(sent.message, Closed):
            told.setdefault((sent.receiver, sent.message.epoch), []).append(sent.message.sets)
    sets = {epoch: {b"".join(parts)} for (_, epoch), parts in told.items()}
    for (_, epoch), parts in told.items():
        sets[epoch] |= {b"".join(parts)}
    assert all(len(alike) == 1 for alike in sets.values())
    return {epoch: active.from_bytes(alike.pop(), WORKERS) for epoch, alike in sets.items()}


# ------------------------------------------------------------------------------------------------
# coming back


@settings(deadline=None, max_examples=60)
@given(
    away=absences(WORKERS), schedule=st.integers(0, 2**32), spare=st.integers(0, 1), hidden=st.integers(0, 9)
)
def test_no_gradient_is_opened_twice_whoever_comes_and_goes(
    away: Mapping[PartyId, Sequence[Absence]], schedule: int, spare: int, hidden: int
) -> None:
    """From the same parameters a worker's gradient is in the closed sets of one epoch at the most."""
    system = (PLAIN if hidden else TOY).model_copy(update={"spare": spare})
    trainings: Trainings = {}
    simulation = simulate(
        system,
        lambda party: Watched(party, trainings),
        workers=WORKERS,
        epochs=8,
        absences=away,
        schedule=schedule,
        network=NETWORK,
        delays=seconds_each,
    )
    # Who comes back to a manager that has just said goodbye is told nothing any more.
    assert all(isinstance(error, PeerLeft | TooFewWorkers) for error in simulation.errors.values())
    if MANAGER not in simulation.errors:
        assert simulation.outcomes[MANAGER].epochs == 8
        assert {party for party in simulation.outcomes if party not in away} >= set(range(6)) - set(away)
    opened = [
        (worker, trainings[worker, epoch][0].tobytes())
        for epoch, sets in closed_sets(simulation).items()
        for worker in range(1, WORKERS + 1)
        if active.contains(sets, worker).any()
    ]
    assert len(opened) == len(set(opened))


@settings(deadline=None, max_examples=40)
@given(away=absences(WORKERS), schedule=st.integers(0, 2**32), spare=st.integers(0, 1))
def test_with_masks_that_cancel_nobody_encrypts_twice_for_an_epoch_and_block(
    away: Mapping[PartyId, Sequence[Absence]], schedule: int, spare: int
) -> None:
    """Not in all its lives: the masks of `pairwise` follow from epoch and block, and would be the same."""
    system = TOY.model_copy(update={"spare": spare, "scheme": PairwiseSettings()})
    seen: Counter[tuple[PartyId, int, int]] = Counter()

    def noting(
        scheme: ThresholdEncryption,
        public_key: bytes,
        key_share: KeyShare,
        plaintexts: Sequence[Integers],
        contexts: Sequence[Context],
    ) -> list[Ciphertext]:
        seen.update((key_share.point, c.epoch, block) for c in contexts for block in c.blocks)
        return encrypted(scheme, public_key, key_share, plaintexts, contexts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coordinated_worker, "encrypted", noting)
        simulation = simulate(
            system,
            tiny(),
            workers=WORKERS,
            epochs=8,
            absences=away,
            schedule=schedule,
            network=NETWORK,
            delays=seconds_each,
        )
    assert set(seen.values()) <= {1}
    assert seen or MANAGER in simulation.errors


def sent_by(simulation: Simulation, worker: PartyId, kind: type[Message]) -> list[tuple[float, int]]:
    """When, and in which epoch, a worker sent messages of a kind."""
    return [
        (sent.seconds, sent.message.epoch)  # type: ignore[attr-defined]
        for sent in simulation.transcript
        if sent.sender == worker and isinstance(sent.message, kind)
    ]


def told(simulation: Simulation, worker: PartyId, between: tuple[float, float]) -> set[str]:
    """The kinds of message a worker was sent in some stretch of time."""
    return {
        type(sent.message).__name__
        for sent in simulation.transcript
        if sent.receiver == worker and between[0] <= sent.seconds <= between[1]
    }


def begins(simulation: Simulation, epoch: int) -> float:
    return next(
        sent.seconds
        for sent in simulation.transcript
        if isinstance(sent.message, EpochBegins) and sent.message.epoch == epoch
    )


def test_a_worker_that_comes_back_abstains_for_an_epoch_and_takes_part_again() -> None:
    simulation = simulate(
        TOY,
        tiny(40),
        workers=WORKERS,
        epochs=6,
        absences={2: [(1.5, 2.5)]},
        network=NETWORK,
        delays=seconds_each,
    )
    assert not simulation.errors
    assert begins(simulation, 2) < 1.5 < 2.5 < begins(simulation, 3)
    assert told(simulation, 2, (2.5, begins(simulation, 3) - 0.001)) == set()
    assert {epoch for _, epoch in sent_by(simulation, 2, Register)} == {1, 2, 3, 4, 5, 6}
    assert {epoch for _, epoch in sent_by(simulation, 2, Upload)} == {1, 4, 5, 6}
    updated = {
        r["epoch"]: r["updated"] for r in simulation.records if r["kind"] == "updated" and r["party"] == 2
    }
    assert set(updated) == {1, 3, 4, 5, 6}
    assert (updated[3], updated[4] > 0) == (0, True)
    assert simulation.outcomes[2].epochs == 6
    assert [record["present"] for record in epochs(simulation).values()] == [5] * 6


def test_a_worker_that_is_away_for_whole_epochs_goes_on_from_its_own_checkpoint() -> None:
    trainings: Trainings = {}
    simulation = simulate(
        PLAIN,
        lambda party: Watched(party, trainings),
        workers=WORKERS,
        epochs=7,
        absences={2: [(1.8, 4.5)]},
        network=NETWORK,
        delays=seconds_each,
    )
    assert not simulation.errors
    last = max(epoch for (party, epoch) in trainings if party == 2 and begins(simulation, epoch) < 1.8)
    back = min(epoch for (party, epoch) in trainings if party == 2 and begins(simulation, epoch) > 4.5)
    assert back - last > 1
    assert fingerprint(trainings[2, back][0]) == fingerprint(trainings[2, last][0])
    assert not active.contains(closed_sets(simulation)[back], 2).any()
    assert active.contains(closed_sets(simulation)[back + 1], 2).any()


def test_when_too_many_are_away_for_a_moment_all_is_missed_and_the_run_goes_on() -> None:
    """In the epoch that they leave they are no part of, and in the next they abstain."""
    simulation = simulate(
        PLAIN,
        tiny(),
        workers=WORKERS,
        epochs=5,
        absences={worker: [(1.5, 1.6)] for worker in (1, 2, 3)},
        network=NETWORK,
        delays=seconds_each,
    )
    assert not simulation.errors
    opened = {epoch: record["opened"] for epoch, record in epochs(simulation).items()}
    assert opened == {1: 7, 2: 0, 3: 0, 4: 7, 5: 7}


# ------------------------------------------------------------------------------------------------
# hanging


class Hanging:
    """A party whose sends of some messages take so many seconds; all else is as `party` does it."""

    def __init__(self, party: Party, at: Callable[[PartyId, Message], bool], seconds: float) -> None:
        self._party, self._at, self._seconds = party, at, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._party, name)

    async def send(self, to: PartyId, message: Message) -> None:
        if self._at(to, message):
            await asyncio.sleep(self._seconds)
        await self._party.send(to, message)


def hanging(
    system: Coordinated, hung: PartyId, at: Callable[[PartyId, Message], bool], seconds: float = 10_000.0
) -> Coordinated:
    """Give a system in which one party hangs, by default for good."""

    class Hung(Coordinated):
        async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
            played = cast(Party, Hanging(party, at, seconds)) if party.id == hung else party
            return await super().run(played, learner, task)

    return Hung.model_validate(system.model_dump())


def of_epoch(kind: type[Message], epoch: int, to: PartyId) -> Callable[[PartyId, Message], bool]:
    return lambda receiver, message: (
        receiver == to and isinstance(message, kind) and message.epoch == epoch  # type: ignore[attr-defined]
    )


@pytest.mark.parametrize(
    ("kind", "missed"),
    [(Register, True), (Upload, True), (Answer, False)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_worker_that_hangs_for_good_in_any_step_stops_nobody(kind: type[Message], missed: bool) -> None:
    """Its blocks are missed; when its upload had come, other workers open in its place and nothing is."""
    simulation = simulate(
        hanging(TOY, 3, of_epoch(kind, epoch=2, to=MANAGER)),
        tiny(40),
        workers=WORKERS,
        epochs=4,
        leave={3: 1000.0},
        network=NETWORK,
    )
    assert not simulation.errors
    assert {party: outcome.epochs for party, outcome in simulation.outcomes.items()} == dict.fromkeys(
        [0, 1, 2, 4, 5], 4
    )
    found = epochs(simulation)
    assert (found[2]["missed"] > 0) == missed
    assert all(record["opened"] > 0 for record in found.values())
    # Three epochs with one silent worker: in each it costs the time-out of a step or two.
    assert max(record["seconds"] for record in found.values()) < 3 * 2 * TOY.timeout_seconds + 10


@pytest.mark.parametrize(
    "kind", [EpochBegins, CallbackUpload, Closed, Open, CallbackDownload, Download], ids=lambda k: k.__name__
)
def test_a_worker_that_takes_no_message_in_any_step_misses_the_epoch_and_joins_the_next(
    kind: type[Message],
) -> None:
    simulation = simulate(
        hanging(TOY, MANAGER, of_epoch(kind, epoch=2, to=3)),
        tiny(40),
        workers=WORKERS,
        epochs=4,
        network=NETWORK,
    )
    assert not simulation.errors
    assert {party: outcome.epochs for party, outcome in simulation.outcomes.items()} == dict.fromkeys(
        range(WORKERS + 1), 4
    )
    found = epochs(simulation)
    assert found[2]["missed"] == 0 or kind in (EpochBegins, CallbackUpload)
    assert (found[3]["missed"], found[4]["missed"]) == (0, 0)
    assert {3, 4} <= {epoch for _, epoch in sent_by(simulation, 3, Upload)}


@settings(deadline=None, max_examples=25)
@given(
    kind=st.sampled_from([Register, Upload, Answer]),
    seconds=st.floats(0.5, 45),
    hung=st.integers(1, WORKERS),
    epoch=st.integers(1, 3),
    openers=st.integers(3, 4),
)
def test_however_late_an_answer_is_the_sums_are_right(
    kind: type[Message], seconds: float, hung: PartyId, epoch: int, openers: int
) -> None:
    """What was asked in one epoch and is answered in another is not taken for the other's answer."""
    system = TOY.model_copy(update={"opening_threshold": openers})
    trainings: Trainings = {}
    simulation = simulate(
        hanging(system, hung, of_epoch(kind, epoch, to=MANAGER), seconds),
        lambda party: Watched(party, trainings),
        workers=WORKERS,
        epochs=5,
        network=Network(latency_seconds=0.05),
    )
    assert not simulation.errors
    assert simulation.outcomes[MANAGER].epochs == 5
    expected = replayed(simulation, trainings)
    np.testing.assert_array_equal(simulation.outcomes[MANAGER].parameters, expected.astype(np.float32))


def replayed(
    simulation: Simulation, trainings: Mapping[tuple[PartyId, int], tuple[Floats, Floats]]
) -> NDArray[np.float64]:
    """What the global model comes to in the clear, by the sets that were closed and the blocks updated."""
    parameters = TinyLearner(MANAGER).parameters().astype(np.float64)
    for epoch, sets in closed_sets(simulation).items():
        opened = np.zeros(len(sets), np.bool_)
        for sent in simulation.transcript:
            if isinstance(sent.message, CallbackDownload) and sent.message.epoch == epoch:
                opened |= unpack_flags(sent.message.updated, len(sets))
        sums = np.zeros(len(sets), np.int64)
        for (worker, trained_in), (start, end) in trainings.items():
            if trained_in == epoch:
                gradient = (start.astype(np.float64) - end) / TinyLearner.learning_rate
                sums += np.where(active.contains(sets, worker), TOY.grid(WORKERS).encode(gradient)[0], 0)
        means = TOY.grid(WORKERS).decode_mean(sums, np.maximum(active.sizes(sets), 1))
        parameters -= np.where(opened, TinyLearner.learning_rate * means, 0.0)
    return parameters


def test_a_worker_that_was_not_told_the_sets_is_not_asked_to_open() -> None:
    simulation = simulate(
        hanging(TOY, MANAGER, of_epoch(Closed, epoch=1, to=3)), tiny(40), workers=WORKERS, network=NETWORK
    )
    asked = {sent.receiver for sent in simulation.transcript if isinstance(sent.message, Open)}
    assert asked == {1, 2, 4, 5}


# ------------------------------------------------------------------------------------------------
# who was accepted


def accepted(simulation: Simulation) -> dict[int, list[int]]:
    """Contributions by epoch, of workers 1 to 5."""
    counts: dict[int, list[int]] = {}
    for record in simulation.records:
        if record["kind"] == "accepted":
            assert record["party"] == MANAGER
            counts.setdefault(record["epoch"], []).append(record["count"])
            assert record["worker"] == len(counts[record["epoch"]])
    return counts


def test_the_manager_counts_whose_contributions_were_opened() -> None:
    simulation = simulate(TOY, tiny(40), workers=WORKERS, epochs=3, leave={2: 1.5}, delays=seconds_each)
    sets = closed_sets(simulation)
    total = np.zeros(WORKERS, np.int64)
    for epoch, counts in accepted(simulation).items():
        assert epochs(simulation)[epoch]["opened"] == (sets[epoch] != 0).sum()
        total += [active.contains(sets[epoch], worker).sum() for worker in range(1, WORKERS + 1)]
        assert counts == total.tolist()
    assert total[1] < total[0]


def test_a_resumed_run_goes_on_counting() -> None:
    whole = simulate(PLAIN, tiny(), workers=WORKERS, epochs=4)
    first = simulate(PLAIN, tiny(), workers=WORKERS, epochs=2)
    rest = simulate(PLAIN, tiny(), workers=WORKERS, epochs=4, resume=2, journals=first.journals)
    assert {**accepted(first), **accepted(rest)} == accepted(whole)


# ------------------------------------------------------------------------------------------------
# what a worker makes of messages that are early, late or wrong


def told_by_script(*script: Message) -> MdlError | None:
    """Have a manager begin epoch 2 with worker 1 and say the script; give what worker 1 makes of it."""

    class Scripted(Coordinated):
        async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
            if party.id != MANAGER:
                return await super().run(party, learner, task)
            for message in (EpochBegins(2, b"\x1f"), *script):
                await party.send(1, message)
            await party.receive(Register, sender=1)
            for worker in party.peers:
                await party.send(worker, Finish("the script has ended"))
            return Outcome(2, "", learner.parameters())

    simulation = simulate(Scripted.model_validate(PLAIN.model_dump()), tiny(8), workers=WORKERS)
    assert (1 in simulation.outcomes) != (1 in simulation.errors)
    return simulation.errors.get(1)


NOTHING, FIRST = b"\x00", b"\x80"
"""Bitmaps of eight blocks."""


@pytest.mark.parametrize(
    "script",
    [
        [CallbackUpload(1, b"\xff"), CallbackDownload(2, NOTHING)],
        [Closed(1, 0, b"\x07" * 8), Open(1, 1, ()), CallbackDownload(1, FIRST), CallbackDownload(2, NOTHING)],
        [CallbackDownload(2, FIRST), Download(1, 0, bytes(8)), Download(2, 0, bytes(4))],
        [EpochBegins(3, b"\x1f"), CallbackDownload(3, NOTHING)],
    ],
    ids=["upload", "opening", "download", "an epoch without an end"],
)
def test_messages_of_earlier_epochs_are_dropped(script: Sequence[Message]) -> None:
    assert told_by_script(*script) is None


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([EpochBegins(2, b"\x1f")], "epoch 2 begins after epoch 2 was done"),
        ([CallbackDownload(3, NOTHING)], "a message of epoch 3 in epoch 2"),
        ([CallbackDownload(2, FIRST), Download(3, 0, bytes(4))], "a download that does not fit"),
        ([CallbackDownload(2, FIRST), Download(2, 0, bytes(8))], "a download that does not fit"),
        ([CallbackDownload(2, b"\x80\x00")], "bitmap"),
    ],
)
def test_messages_that_no_manager_sends_are_refused(script: Sequence[Message], said: str) -> None:
    error = told_by_script(*script)
    assert isinstance(error, ProtocolError)
    assert said in str(error)
    assert error.culprits == (MANAGER,)


# ------------------------------------------------------------------------------------------------
# what the manager makes of uploads that are wrong


@pytest.mark.parametrize(
    "change",
    [
        lambda upload: Upload(upload.epoch, 1, upload.body, upload.hint),
        lambda upload: Upload(upload.epoch, 0, upload.body[:-1], upload.hint),
        lambda upload: Upload(upload.epoch, 0, upload.body, b""),
        lambda upload: Upload(upload.epoch, 0, 2 * upload.body, 2 * upload.hint),
        lambda upload: Upload(upload.epoch, 0, b"", b""),
    ],
    ids=["another row", "half a row", "no hints", "too much", "nothing"],
)
def test_an_upload_that_does_not_fit_is_blamed_on_its_worker(change: Callable[[Upload], Upload]) -> None:
    class Changing(Hanging):
        async def send(self, to: PartyId, message: Message) -> None:
            await self._party.send(to, change(message) if isinstance(message, Upload) else message)

    class Changed(Coordinated):
        async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
            wrong = cast(Party, Changing(party, lambda *_: False, 0.0))
            return await super().run(wrong if party.id == 2 else party, learner, task)

    simulation = simulate(Changed.model_validate(TOY.model_dump()), tiny(), workers=WORKERS)
    error = simulation.errors[MANAGER]
    assert isinstance(error, ProtocolError)
    assert "an upload that does not fit" in str(error)
    assert error.culprits == (2,)
    assert "the manager gave up" in simulation.outcomes[1].reason


def test_without_its_checkpoint_the_manager_cannot_resume() -> None:
    first = simulate(PLAIN, tiny(), workers=WORKERS, epochs=2)
    again = simulate(
        PLAIN,
        tiny(),
        workers=WORKERS,
        epochs=3,
        resume=2,
        journals={worker: first.journals[worker] for worker in range(1, WORKERS + 1)},
    )
    assert "there is no checkpoint of epoch 2" in str(again.errors[MANAGER])
