"""SSDDL: sums come out right in every mode, whoever leaves; the server is kept from more than sums."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from mdl.errors import InvalidShare, OutOfRange, PeerLeft, PeerTimeout, ProtocolError, TooFewWorkers
from mdl.party import MANAGER, Party, PartyId
from mdl.protocols.pieces import Piece
from mdl.schemes.mersenne import PRIME
from mdl.schemes.randomness import insecure_seeded
from mdl.simulator import Absence, Network, Sent, Simulation, simulate
from mdl.systems import secret_shared
from mdl.systems.secret_shared import SecretShared
from mdl.systems.secret_shared import messages as say
from mdl.systems.secret_shared.groups import Members, too_close
from mdl.systems.secret_shared.server import Server
from mdl.systems.secret_shared.settings import Mode
from mdl.systems.secret_shared.worker import Worker
from mdl.vectors import fingerprint
from tests.systems.comings import Trainings, Watched, absences, seconds_each
from tests.tiny import TinyLearner, tiny

WORKERS = 5
MODES: list[Mode] = ["plain", "prng", "additive", "shamir"]
NETWORK = Network(latency_seconds=0.05, jitter_seconds=0.05)
LARGE = 100_000


def system(mode: Mode = "prng", **keys: Any) -> SecretShared:
    return SecretShared(mode=mode, **{"timeout_seconds": 10.0, **keys})


def ends(simulation: Simulation) -> dict[int, say.Ended]:
    """How each epoch ended; everybody is told the same."""
    found: dict[int, say.Ended] = {}
    for sent in simulation.transcript:
        if isinstance(sent.message, say.Ended):
            assert found.setdefault(sent.message.epoch, sent.message) == sent.message
    return found


def replayed(simulation: Simulation, trainings: Trainings, played: SecretShared) -> NDArray[np.float64]:
    """The global model as it must be: each sum over those whose updates were asked for, applied once."""
    model = TinyLearner(MANAGER).parameters().astype(np.float64)
    for epoch, ended in sorted(ends(simulation).items()):
        if ended.missed:
            continue
        updates = []
        for worker in ended.asked:
            start, trained = trainings[worker, epoch]
            np.testing.assert_array_equal(start, model.astype(np.float32))
            updates.append(played.fixed_point.encode(trained.astype(np.float64) - start)[0])
        total = np.sum(updates, axis=0)
        model = model + played.fixed_point.decode_mean(total, len(ended.asked))
    return model


@pytest.mark.parametrize("keys", [{}, {"group": 3}, {"group": 4, "minimum_group": 4}])
def test_all_modes_give_the_weights_of_the_plain_one_which_are_right(keys: dict[str, Any]) -> None:
    hashes = set()
    for mode in MODES:
        trainings: Trainings = {}
        played = system(mode, **keys)
        simulation = simulate(
            played,
            partial(Watched, trainings=trainings),
            workers=WORKERS,
            epochs=20,
            rng=insecure_seeded(1),
        )
        assert not simulation.errors
        final = simulation.outcomes[MANAGER].parameters
        np.testing.assert_array_equal(final, replayed(simulation, trainings, played).astype(np.float32))
        assert not any(ended.missed for ended in ends(simulation).values())
        hashes.add(fingerprint(final))
    assert len(hashes) == 1


@settings(deadline=None, max_examples=60)
@given(
    away=absences(WORKERS),
    schedule=st.integers(0, 2**32),
    mode=st.sampled_from(MODES),
    group=st.sampled_from(["all", 4]),
)
def test_every_sum_is_right_and_tells_no_single_update_whoever_comes_and_goes(
    away: Mapping[PartyId, Sequence[Absence]], schedule: int, mode: Mode, group: Any
) -> None:
    trainings: Trainings = {}
    played = system(mode, group=group)
    simulation = simulate(
        played,
        lambda party: Watched(party, trainings),
        workers=WORKERS,
        epochs=8,
        absences=away,
        schedule=schedule,
        network=NETWORK,
        delays=seconds_each,
    )
    # Who comes back to a server that has just said goodbye is told nothing any more.
    assert all(isinstance(error, PeerLeft | TooFewWorkers) for error in simulation.errors.values())
    told = ends(simulation)
    asked = [told[epoch].asked for epoch in sorted(told) if told[epoch].asked]
    assert all(len(members) >= 3 for members in asked)
    assert not any(too_close(later, earlier) for earlier, later in pairwise(asked))
    if MANAGER not in simulation.errors:
        final = simulation.outcomes[MANAGER].parameters
        np.testing.assert_array_equal(final, replayed(simulation, trainings, played).astype(np.float32))
    answers = [
        (sent.sender, sent.message.epoch)
        for sent in simulation.transcript
        if isinstance(sent.message, say.Upload)
    ]
    assert len(answers) == len(set(answers)), "a worker answers once for an epoch"


@pytest.mark.parametrize("lost", [[2], [4], [5]])
def test_shamir_does_without_as_many_as_threshold_allows_after_the_shares_are_out(lost: list[int]) -> None:
    trainings: Trainings = {}
    played = system("shamir")
    # Shares are out at 0.1 + 1 + 0.05 s, and the server asks for sums a latency later.
    simulation = simulate(
        played,
        lambda party: Watched(party, trainings),
        workers=WORKERS,
        leave=dict.fromkeys(lost, 1.17),
        network=Network(latency_seconds=0.05),
        delays=seconds_each,
    )
    assert ends(simulation)[1] == say.Ended(1, (1, 2, 3, 4, 5), missed=False)
    final = simulation.outcomes[MANAGER].parameters
    np.testing.assert_array_equal(final, replayed(simulation, trainings, played).astype(np.float32))


def test_one_loss_more_than_that_and_the_epoch_is_missed() -> None:
    simulation = simulate(
        system("shamir"),
        tiny(),
        workers=WORKERS,
        leave=dict.fromkeys([1, 4], 1.17),
        network=Network(latency_seconds=0.05),
        delays=seconds_each,
    )
    assert ends(simulation)[1].missed


@pytest.mark.parametrize(("mode", "sizes"), [("prng", [3, 3, 3]), ("additive", [4, 4, 4])])
def test_where_all_are_needed_a_loss_costs_the_epoch_and_no_more(mode: Mode, sizes: list[int]) -> None:
    simulation = simulate(
        system(mode),
        tiny(),
        workers=WORKERS,
        epochs=4,
        leave={3: 1.5},
        network=Network(latency_seconds=0.5),
        delays=seconds_each,
    )
    told = ends(simulation)
    assert [told[epoch].missed for epoch in sorted(told)] == [True, False, False, False]
    # Four remain. If the five have masked, the four would differ from them by one: one more stays out.
    assert [len(told[epoch].asked) for epoch in (2, 3, 4)] == sizes


# ------------------------------------------------------------------------------------------------
# what is seen


def uniform(words: NDArray[np.uint32], most: int) -> bool:
    counts = np.bincount((words.astype(np.int64) * 64) // most, minlength=64)
    return bool(stats.chisquare(counts).pvalue > 1e-4)


def values(sent: Sent) -> bytes:
    assert isinstance(sent.message, Piece)
    return sent.message.values


@pytest.mark.parametrize(
    ("mode", "kind", "most"),
    [
        ("prng", say.Upload, 1 << 32),
        ("additive", say.Share, 1 << 32),
        ("additive", say.Upload, 1 << 32),
        ("shamir", say.Share, PRIME),
        ("shamir", say.Upload, PRIME),
    ],
)
def test_what_a_worker_sends_looks_like_random_numbers(mode: Mode, kind: type[Piece], most: int) -> None:
    simulation = simulate(system(mode), tiny(LARGE), workers=3)
    sent = [each for each in simulation.transcript if isinstance(each.message, kind)]
    for way in {(each.sender, each.receiver) for each in sent}:
        pieces = [values(each) for each in sent if (each.sender, each.receiver) == way]
        assert uniform(np.frombuffer(b"".join(pieces), "<u4"), most)


def test_of_plain_uploads_that_is_not_so() -> None:
    simulation = simulate(system("plain"), tiny(LARGE), workers=3)
    pieces = [values(each) for each in simulation.transcript if isinstance(each.message, say.Upload)]
    assert not uniform(np.frombuffer(b"".join(pieces), "<u4"), 1 << 32)


@pytest.mark.parametrize("mode", MODES)
def test_no_more_bytes_are_sent_than_the_paper_counts(mode: Mode) -> None:
    simulation = simulate(system(mode), tiny(LARGE), workers=4, epochs=3)
    up = 4 * LARGE
    expected = up * 4 if mode in ("additive", "shamir") else up
    for worker in range(1, 5):
        sent = sum(each.size_bytes for each in simulation.transcript if each.sender == worker) / 3
        assert expected <= sent <= 1.02 * expected


def test_the_server_is_given_no_key() -> None:
    credentials = system().deal(3, rng=insecure_seeded(1))
    assert len(credentials[MANAGER]) < 70
    assert len(set(credentials.values())) == 4


# ------------------------------------------------------------------------------------------------
# a server that asks for more


Patch = pytest.MonkeyPatch


def workers_refuse(monkeypatch: Patch, server: type[Server], match: str, mode: Mode = "shamir") -> None:
    monkeypatch.setattr(secret_shared, "Server", server)
    simulation = simulate(system(mode, timeout_seconds=5.0), tiny(), workers=WORKERS, epochs=3)
    refused = [simulation.errors[worker] for worker in range(1, WORKERS + 1)]
    assert all(isinstance(error, ProtocolError) for error in refused)
    assert any(match in str(error) for error in refused)


def uploaded(simulation: Simulation) -> set[int]:
    """The epochs of which something was uploaded."""
    return {sent.message.epoch for sent in simulation.transcript if isinstance(sent.message, say.Upload)}


class HandsOutTwo(Server):
    """It hands all members but the first a model of which nothing is learnt, to read that one."""

    async def _epoch(self, epoch: int, present: Members) -> None:
        self._crew = Forging(self._crew)
        await super()._epoch(epoch, present)


class Forging:
    """A party that sends another model to all workers but one."""

    def __init__(self, party: Party) -> None:
        self._party = party

    def __getattr__(self, name: str) -> Any:
        return getattr(self._party, name)

    async def send(self, to: PartyId, message: Any) -> None:
        if isinstance(message, say.Global) and to != 1:
            message = say.Global(message.epoch, message.first, bytes(len(message.values)))
        await self._party.send(to, message)


def test_no_share_is_kept_of_an_update_of_another_model(monkeypatch: Patch) -> None:
    monkeypatch.setattr(secret_shared, "Server", HandsOutTwo)
    simulation = simulate(system("shamir", timeout_seconds=5.0), tiny(), workers=WORKERS, epochs=1)
    held = {
        sent.sender: sent.message.dealers
        for sent in simulation.transcript
        if isinstance(sent.message, say.Held)
    }
    assert held == {1: (1,), 2: (2, 3, 4, 5), 3: (2, 3, 4, 5), 4: (2, 3, 4, 5), 5: (2, 3, 4, 5)}
    assert ends(simulation)[1].missed


def test_masks_of_updates_of_two_models_do_not_cancel(monkeypatch: Patch) -> None:
    monkeypatch.setattr(secret_shared, "Server", HandsOutTwo)
    simulation = simulate(system("prng", timeout_seconds=5.0), tiny(), workers=WORKERS, epochs=1)
    assert isinstance(simulation.errors[MANAGER], OutOfRange)


@pytest.mark.parametrize("mode", MODES)
def test_one_that_must_decline_does_not_hold_up_the_others_for_good(mode: Mode) -> None:
    """Worker 5 was last in a set that differs by one from that of all, which the server cannot know."""
    first = simulate(system(mode), tiny(), workers=6, epochs=1)
    first.journals[5].write("sets", 1, {"members": np.arange(1, 6)})
    rest = simulate(system(mode), tiny(), workers=6, epochs=5, resume=1, journals=first.journals)
    assert not rest.errors
    found = ends(rest)
    without_it = mode == "shamir"  # the others are enough to open
    assert [found[epoch].missed for epoch in (2, 3, 4, 5)] == [not without_it, False, False, False]
    assert 5 not in found[3].asked


@pytest.mark.parametrize("mode", ["additive", "shamir"])
def test_one_that_always_declines_is_left_out(monkeypatch: Patch, mode: Mode) -> None:
    class Refuses(Worker):
        async def _share(self, epoch: int, *rest: Any) -> None:
            if self._party.id == 3:
                await self._party.send(MANAGER, say.Declined(epoch, lasting=False))
            else:
                await super()._share(epoch, *rest)

    monkeypatch.setattr(secret_shared, "Worker", Refuses)
    found = ends(simulate(system(mode), tiny(), workers=6, epochs=5))
    assert [found[epoch].missed for epoch in (1, 2, 3, 4, 5)] == [True, True, False, False, False]
    assert 3 not in found[3].asked


@pytest.mark.parametrize("epoch", [-1, 0, 9, 10**9])
def test_no_epoch_is_begun_that_is_not_due(monkeypatch: Patch, epoch: int) -> None:
    class Tells(Server):
        async def _tell(self, workers: Sequence[PartyId], message: Any) -> Members:
            if isinstance(message, say.Begin):
                message = say.Begin(epoch, message.present, message.previous)
            return await super()._tell(workers, message)

    workers_refuse(monkeypatch, Tells, f"epoch {epoch} begins", "prng")


def test_who_takes_no_part_in_an_epoch_keeps_no_masks_of_it(monkeypatch: Patch) -> None:
    """Else whoever seizes it later could take them off what the others have uploaded."""
    kept: dict[int, Worker] = {}

    class Seized(Worker):
        def __init__(self, system: Any, party: Any, *rest: Any) -> None:
            super().__init__(system, party, *rest)
            kept[party.id] = self

    monkeypatch.setattr(secret_shared, "Worker", Seized)
    first = simulate(system(group=4), tiny(), workers=8, epochs=2)
    rest = simulate(
        system(group=4), tiny(), workers=8, epochs=4, resume=1, journals=first.journals, schedule=1
    )
    assert not rest.errors
    for worker in kept.values():
        assert worker._masks is not None
        assert {chain.epoch for chain in worker._masks._chains.values()} == {5}


@pytest.mark.parametrize("mode", ["additive", "shamir"])
def test_nobody_waits_in_vain_for_one_that_has_begun_the_next_epoch(mode: Mode) -> None:
    """After a resumption some decline the repeated epoch, and are ahead of who is slow."""
    network = Network(latency_seconds=0.02, jitter_seconds=0.05)
    for schedule in range(12):
        given: dict[str, Any] = {"workers": 7, "network": network, "schedule": schedule, "transcript": False}
        played = system(mode, group=5, timeout_seconds=1000.0)
        first = simulate(played, tiny(), epochs=2, **given)
        rest = simulate(
            played, tiny(), epochs=6, resume=1, journals=first.journals, delays=slow_for_two, **given
        )
        assert not rest.errors
        assert rest.seconds < 200


def slow_for_two(party: PartyId) -> list[float]:
    return [8.0] if party in (3, 6) else [0.1]


def test_a_sum_of_two_is_not_opened(monkeypatch: Patch) -> None:
    class Asks(Server):
        async def _tell(self, workers: Sequence[PartyId], message: Any) -> Members:
            if isinstance(message, say.Open):
                message = say.Open(message.epoch, message.dealers[:2])
            return await super()._tell(workers, message)

    workers_refuse(monkeypatch, Asks, "over [1, 2] must not be opened")


def test_a_sum_that_differs_by_one_from_the_last_is_not_opened(monkeypatch: Patch) -> None:
    class Asks(Server):
        async def _tell(self, workers: Sequence[PartyId], message: Any) -> Members:
            if isinstance(message, say.Open) and message.epoch == 2:
                message = say.Open(2, message.dealers[:4])
            return await super()._tell(workers, message)

    monkeypatch.setattr(secret_shared, "Server", Asks)
    simulation = simulate(system("shamir", timeout_seconds=5.0), tiny(), workers=WORKERS, epochs=3)
    assert [ends(simulation)[epoch].missed for epoch in (1, 2)] == [False, True]
    assert uploaded(simulation) == {1}
    # All would decline the next one too, the one left out as well.
    assert "0 of 5 workers can take part" in str(simulation.errors[MANAGER])


@pytest.mark.parametrize("mode", ["prng", "shamir"])
def test_what_went_before_cannot_be_denied(monkeypatch: Patch, mode: Mode) -> None:
    """A server that says nothing of the set before, and then that there was none."""

    class Denies(Server):
        async def _tell(self, workers: Sequence[PartyId], message: Any) -> Members:
            if isinstance(message, say.Ended):
                return tuple(workers)
            if isinstance(message, say.Begin) and message.epoch == 2:
                message = say.Begin(2, (1, 2, 3, 4), ())
            if isinstance(message, say.Open) and message.epoch == 2:
                message = say.Open(2, (1, 2, 3, 4))
            return await super()._tell(workers, message)

    monkeypatch.setattr(secret_shared, "Server", Denies)
    simulation = simulate(system(mode, timeout_seconds=5.0), tiny(), workers=WORKERS, epochs=2)
    assert uploaded(simulation) == {1}


@pytest.mark.parametrize("seed", range(6))
def test_of_a_repeated_epoch_no_second_sum_is_opened_over_another_group(seed: int) -> None:
    """A run that is taken up deals another seed, so another group: who was in the first one takes no part."""
    played = system("shamir", group=5)
    first = simulate(played, tiny(), workers=8, epochs=2)
    rest = simulate(played, tiny(), workers=8, epochs=4, resume=1, journals=first.journals, schedule=seed)
    before, after = ends(first)[2].asked, ends(rest)[2]
    assert after.missed or not set(before) & set(after.asked) or before == after.asked


def test_a_second_answer_for_an_epoch_is_not_given(monkeypatch: Patch) -> None:
    class Asks(Server):
        async def _uploads(self, epoch: int, members: Members) -> Any:
            found = await super()._uploads(epoch, members)
            await self._tell(list(members), say.Open(epoch, (1, 2, 3)))
            again = await super()._uploads(epoch, members)
            assert not again
            return found

    monkeypatch.setattr(secret_shared, "Server", Asks)
    simulation = simulate(system("shamir", timeout_seconds=5.0), tiny(), workers=WORKERS)
    assert ends(simulation)[1].asked == (1, 2, 3, 4, 5)


def test_what_went_before_cannot_be_told_otherwise(monkeypatch: Patch) -> None:
    class Tells(Server):
        async def _tell(self, workers: Sequence[PartyId], message: Any) -> Members:
            if isinstance(message, say.Begin) and message.epoch == 2:
                message = say.Begin(2, message.present, (1, 2))
            return await super()._tell(workers, message)

    workers_refuse(monkeypatch, Tells, "is not what it was", "prng")


def test_no_group_is_smaller_than_agreed(monkeypatch: Patch) -> None:
    class Tells(Server):
        async def _tell(self, workers: Sequence[PartyId], message: Any) -> Members:
            if isinstance(message, say.Begin):
                message = say.Begin(message.epoch, (1, 2), ())
            return await super()._tell(workers, message)

    workers_refuse(monkeypatch, Tells, "begins with a group of 2", "prng")


def test_a_key_that_the_server_puts_in_the_place_of_another_is_refused(monkeypatch: Patch) -> None:
    class Tells(Server):
        async def _tell(self, workers: Sequence[PartyId], message: Any) -> Members:
            if isinstance(message, say.Announcements):
                forged = [(who, signed if who != 2 else bytes(96)) for who, signed in message.signed]
                message = say.Announcements(message.generation, tuple(forged))
            return await super()._tell(workers, message)

    monkeypatch.setattr(secret_shared, "Server", Tells)
    simulation = simulate(system(timeout_seconds=5.0), tiny(), workers=WORKERS)
    assert all(isinstance(simulation.errors[worker], InvalidShare) for worker in range(1, WORKERS + 1))


# ------------------------------------------------------------------------------------------------
# again, and the end


@pytest.mark.parametrize("mode", MODES)
def test_a_resumed_run_ends_like_an_uninterrupted_one(mode: Mode) -> None:
    whole = simulate(system(mode), tiny(), workers=4, epochs=6)
    first = simulate(system(mode), tiny(), workers=4, epochs=4)
    # One epoch is repeated, over the same set: with all there is no other.
    rest = simulate(system(mode), tiny(), workers=4, epochs=6, resume=3, journals=first.journals)
    final = rest.outcomes[MANAGER].parameters
    np.testing.assert_array_equal(whole.outcomes[MANAGER].parameters, final)


@pytest.mark.parametrize("mode", ["prng", "additive", "shamir"])
def test_an_update_that_is_trained_again_is_not_summed_over_another_set(mode: Mode) -> None:
    first = simulate(system(mode), tiny(), workers=7, epochs=2)
    # Two are gone, and epoch 2 is repeated: the seven have been summed in it before.
    rest = simulate(
        system(mode),
        tiny(),
        workers=7,
        epochs=4,
        resume=1,
        journals=first.journals,
        leave={1: 0.01, 2: 0.01},
        network=Network(latency_seconds=0.1),
    )
    told = ends(rest)
    assert told[2].missed
    assert not told[4].missed


def test_with_too_few_left_the_run_ends_by_name() -> None:
    simulation = simulate(
        system(), tiny(), workers=4, epochs=9, leave={1: 0.15, 2: 0.15}, network=Network(latency_seconds=0.1)
    )
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers)
    assert "2 of 4 workers can take part" in str(simulation.errors[MANAGER])


def test_where_every_group_would_tell_of_a_single_worker_the_run_ends_and_says_so() -> None:
    simulation = simulate(
        system(), tiny(), workers=4, epochs=9, leave={1: 0.75}, network=Network(latency_seconds=0.1)
    )
    assert "would differ by one worker" in str(simulation.errors[MANAGER])


@pytest.mark.parametrize("mode", ["prng", "additive"])
def test_who_is_there_and_silent_is_named(mode: Mode) -> None:
    simulation = simulate(
        system(mode), tiny(), workers=4, epochs=3, delays=lambda party: [99.0 if party == 2 else 0.1]
    )
    error = simulation.errors[MANAGER]
    assert isinstance(error, PeerTimeout)
    assert 2 in error.culprits


@pytest.mark.parametrize(
    ("keys", "workers", "problem"),
    [
        ({"minimum_group": 2}, 5, "each finds the other's update by subtraction"),
        ({"group": 9}, 5, "9 of n = 5 workers can never be a group"),
        ({"group": 3, "minimum_group": 4}, 5, "a group has g = 3 members"),
        ({"mode": "shamir", "threshold": 3}, 5, "two sums of one epoch could be opened"),
        ({"mode": "shamir", "threshold": 6}, 5, "τ must be 4 to 5"),
        ({"range": 5000.0}, 8, "system.range may be at most 4095"),
        ({"mode": "shamir", "range": 4000.0}, 8, "system.range may be at most 2047"),
        ({}, 65, "at most 64 are supported"),
    ],
)
def test_what_cannot_be_is_said(keys: dict[str, Any], workers: int, problem: str) -> None:
    assert any(problem in said for said in SecretShared(**keys).problems(workers))


@pytest.mark.parametrize("mode", MODES)
def test_what_a_run_will_do_is_said(mode: Mode) -> None:
    said = " ".join(system(mode).explain(8, 1000))
    assert "{" not in said
    assert ("Nothing is hidden" in said) == (mode == "plain")
    assert not system(mode).problems(8)
