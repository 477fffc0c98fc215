"""∝MDL^c under the simulator: right for every schedule, with leavers; no sum is opened that must not be."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import PeerTimeout, ProtocolError, TooFewWorkers
from mdl.party import MANAGER
from mdl.protocols import sets as active
from mdl.protocols.opening import Closed
from mdl.protocols.selection import Selection, Share
from mdl.schemes.settings import ElGamalSettings, PairwiseSettings, PlainSettings, SchemeSettings
from mdl.simulator import MemoryJournal, Network, Simulation, simulate
from mdl.system import Stop
from mdl.systems.coordinated import CallbackDownload, Coordinated, Download, Upload
from mdl.systems.costs import EpochBytes
from mdl.vectors import Blocks, fingerprint
from tests.tiny import TinyLearner, tiny

INSECURE_TOY = ElGamalSettings(group="insecure64")
# Few fraction bits keep the decoding table of the toy group small.
TOY = Coordinated(threshold=3, scheme=INSECURE_TOY, insecure=True, range=4.0, fraction_bits=8)


def weights(simulation: Simulation) -> dict[int, str]:
    return {party: fingerprint(outcome.parameters) for party, outcome in simulation.outcomes.items()}


def plain(system: Coordinated) -> Coordinated:
    return system.model_copy(update={"scheme": PlainSettings()})


@settings(deadline=None, max_examples=25)
@given(
    workers=st.integers(3, 6),
    block=st.integers(1, 3),
    selection=st.sampled_from(["balanced", "random"]),
    share=st.sampled_from(["minimum", 1.0]),
    schedule=st.integers(0, 2**32),
)
def test_the_hidden_run_gives_exactly_the_weights_of_the_plain_one(
    workers: int, block: int, selection: Selection, share: Share, schedule: int
) -> None:
    system = Coordinated(
        threshold=3,
        scheme=INSECURE_TOY,
        insecure=True,
        range=4.0,
        fraction_bits=8,
        block=block,
        selection=selection,
        share=share,
    )
    hidden = simulate(system, tiny(), workers=workers, epochs=2, schedule=schedule)
    oracle = simulate(plain(system), tiny(), workers=workers, epochs=2, schedule=schedule + 1)
    assert not hidden.errors
    assert weights(hidden) == weights(oracle)


def test_the_global_model_moves_by_the_mean_gradient_of_each_active_set() -> None:
    workers, size = 4, 6
    system = plain(TOY.model_copy(update={"share": 1.0, "fraction_bits": 30, "range": 64.0}))
    simulation = simulate(system, tiny(size), workers=workers)
    start = TinyLearner(1, size).parameters().astype(np.float64)
    gradients = []
    for worker in range(1, workers + 1):
        learner = TinyLearner(worker, size)
        gradients.append((start - learner.train(1).parameters) / learner.learning_rate)
    expected = start - TinyLearner.learning_rate * np.mean(gradients, axis=0)
    np.testing.assert_allclose(simulation.outcomes[MANAGER].parameters, expected, atol=1e-6)
    # With everybody in every set, all workers hold the global model at the end of the epoch.
    assert len(set(weights(simulation).values())) == 1


def test_two_hundred_schedules_give_the_same_weights() -> None:
    network = Network(latency_seconds=0.01, jitter_seconds=0.1)
    found = {
        tuple(
            sorted(
                weights(
                    simulate(plain(TOY), tiny(), workers=5, epochs=2, schedule=schedule, network=network)
                ).items()
            )
        )
        for schedule in range(195)
    } | {
        tuple(
            sorted(
                weights(
                    simulate(TOY, tiny(), workers=5, epochs=2, schedule=schedule, network=network)
                ).items()
            )
        )
        for schedule in range(5)
    }
    assert len(found) == 1


def test_a_slow_worker_changes_nothing_but_the_time() -> None:
    quick = simulate(plain(TOY), tiny(), workers=4, epochs=2)
    slow = simulate(plain(TOY), tiny(), workers=4, epochs=2, delays=lambda party: [5.0 * party] * 2)
    assert weights(quick) == weights(slow)
    assert slow.seconds == pytest.approx(40.0)


@pytest.mark.parametrize("block", [1, 4])
@pytest.mark.parametrize("workers", [4, 8])
def test_bytes_on_the_wire_equal_the_formula(workers: int, block: int) -> None:
    size = 2_000
    system = TOY.model_copy(update={"block": block, "scheme": ElGamalSettings(group="insecure256")})
    simulation = simulate(system, tiny(size), workers=workers)
    expected = EpochBytes(workers, 3, Blocks(size, block), system.build_scheme(workers)).by_kind()
    counted = dict.fromkeys(expected, 0)
    for sent in simulation.transcript:
        kind = type(sent.message).__name__
        if kind != "Finish":
            counted[kind] += sent.size_bytes
    assert sum(counted.values()) == pytest.approx(sum(expected.values()), rel=0.02)
    for kind in ("Upload", "Open", "Answer", "Download"):
        assert counted[kind] == pytest.approx(expected[kind], rel=0.05), kind


def test_the_papers_count_of_elements_holds_but_for_the_hints_shown() -> None:
    """4·m·t·G [∝MDL, §IV-C c]; here openers are shown m−1 hints where the paper sends one product."""
    system, workers, m = TOY.model_copy(update={"threshold": 4}), 8, 4
    scheme = system.build_scheme(workers)
    kinds = EpochBytes(workers, m, Blocks(1_000, 1), scheme).by_kind()
    width, t = scheme.hint_bytes, 1_000
    assert (
        kinds["Upload"] + kinds["Open"] + kinds["Answer"]
        == 4 * m * t * width + m * (m - 2) * t * width + 4 * m * t
    )


def uploaders(simulation: Simulation, epoch: int) -> set[int]:
    return {
        sent.sender
        for sent in simulation.transcript
        if isinstance(sent.message, Upload) and sent.message.epoch == epoch
    }


@settings(deadline=None, max_examples=40)
@given(leaver=st.integers(1, 5), moment=st.floats(0, 3), schedule=st.integers(0, 2**32))
def test_whenever_a_worker_leaves_the_others_finish(leaver: int, moment: float, schedule: int) -> None:
    network = Network(latency_seconds=0.05, jitter_seconds=0.05)
    simulation = simulate(
        TOY,
        tiny(),
        workers=5,
        epochs=4,
        leave={leaver: moment},
        network=network,
        schedule=schedule,
    )
    assert not simulation.errors
    assert {party for party in simulation.outcomes if party != leaver} == {0, 1, 2, 3, 4, 5} - {leaver}
    assert all(outcome.epochs == 4 for party, outcome in simulation.outcomes.items() if party != leaver)


def test_a_member_that_leaves_after_its_upload_is_replaced_by_a_helper_and_nothing_is_missed() -> None:
    network, moment = Network(latency_seconds=1.0), None
    whole = simulate(TOY, tiny(), workers=5, network=network)
    closed_at = next(sent.seconds for sent in whole.transcript if isinstance(sent.message, Closed))
    moment = closed_at + 1.5  # the request is under way, the answer is not
    simulation = simulate(TOY, tiny(), workers=5, network=network, leave={2: moment})
    assert not simulation.errors
    epoch = next(record for record in simulation.records if record["kind"] == "epoch")
    assert (epoch["missed"], epoch["opened"]) == (0, 7)
    assert weights(simulation)[MANAGER] == weights(whole)[MANAGER]


def test_with_fewer_than_m_workers_the_run_ends_by_name() -> None:
    simulation = simulate(
        TOY, tiny(), workers=3, epochs=3, leave={1: 0.5}, network=Network(latency_seconds=1.0)
    )
    error = simulation.errors[MANAGER]
    assert isinstance(error, TooFewWorkers)
    assert "m = 3" in str(error)
    assert all(outcome.epochs < 3 for outcome in simulation.outcomes.values())


def test_an_epoch_in_which_everybody_left_is_no_success() -> None:
    everybody = dict.fromkeys(range(1, 6), 0.5)
    simulation = simulate(TOY, tiny(), workers=5, leave=everybody, network=Network(latency_seconds=1.0))
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers)
    assert "could open nothing" in str(simulation.errors[MANAGER])


def test_a_worker_that_is_too_late_misses_the_epoch_and_joins_the_next() -> None:
    system = TOY.model_copy(update={"timeout_seconds": 10.0})
    late = {3: [15.0, 0.0, 0.0, 0.0]}
    simulation = simulate(
        system, tiny(), workers=5, epochs=4, delays=lambda party: late.get(party, [0.0] * 4)
    )
    assert not simulation.errors
    assert all(outcome.epochs == 4 for outcome in simulation.outcomes.values())
    missed = {record["epoch"]: record["missed"] for record in simulation.records if record["kind"] == "epoch"}
    assert missed[1] > 0
    assert missed[4] == 0


def test_a_worker_that_is_far_too_late_learns_that_it_is_over() -> None:
    system = TOY.model_copy(update={"timeout_seconds": 10.0})
    simulation = simulate(
        system, tiny(), workers=5, epochs=3, delays=lambda party: [1000.0 if party == 3 else 0.0] * 3
    )
    assert not simulation.errors
    assert simulation.outcomes[MANAGER].epochs == 3
    assert simulation.outcomes[3].epochs < 3


def test_random_selection_misses_blocks_and_says_so() -> None:
    system = TOY.model_copy(update={"selection": "random"})
    simulation = simulate(system, tiny(200), workers=5)
    epoch = next(record for record in simulation.records if record["kind"] == "epoch")
    updated = [record for record in simulation.records if record["kind"] == "updated"]
    assert epoch["missed"] > 0
    assert sum(record["updated"] for record in updated) >= 3 * epoch["opened"]


def test_missed_and_unregistered_parameters_keep_their_local_step() -> None:
    system = plain(TOY.model_copy(update={"selection": "random", "share": 0.6}))
    simulation = simulate(system, tiny(50), workers=5)
    for worker in range(1, 6):
        trained = TinyLearner(worker, 50).train(1).parameters
        final = simulation.outcomes[worker].parameters
        download = [sent.message for sent in simulation.transcript if sent.receiver == worker]
        callback = next(message for message in download if isinstance(message, CallbackDownload))
        updated = np.unpackbits(np.frombuffer(callback.updated, np.uint8))[:50].astype(bool)
        np.testing.assert_array_equal(final[~updated], trained[~updated])
        np.testing.assert_array_equal(final[updated], simulation.outcomes[MANAGER].parameters[updated])


def test_workers_receive_only_what_they_contributed_to() -> None:
    simulation = simulate(TOY, tiny(40), workers=5)
    told = [sent.message for sent in simulation.transcript if isinstance(sent.message, Closed)]
    closed = active.from_bytes(told[0].sets, 5)
    for worker in range(1, 6):
        values = b"".join(
            sent.message.values
            for sent in simulation.transcript
            if isinstance(sent.message, Download) and sent.receiver == worker
        )
        assert len(values) == 4 * int(active.contains(closed, worker).sum())


def test_no_uploaded_byte_string_shows_the_gradient() -> None:
    """The same gradients are encrypted twice; nothing but the sizes repeats."""
    first, second = (simulate(TOY, tiny(60), workers=4) for _ in range(2))
    bodies = [
        {sent.message.body for sent in run.transcript if isinstance(sent.message, Upload)}
        for run in (first, second)
    ]
    assert weights(first) == weights(second)
    assert not bodies[0] & bodies[1]


def test_it_stops_when_the_metric_no_longer_improves() -> None:
    simulation = simulate(plain(TOY), tiny(), workers=4, epochs=50, stop=Stop(patience=2, metric="loss"))
    assert simulation.outcomes[MANAGER].epochs < 50
    assert "no better loss" in simulation.outcomes[MANAGER].reason


def resumed(
    journals: dict[int, MemoryJournal], resume: int, *, workers: int = 5, epochs: int = 4, **extra: object
) -> Simulation:
    return simulate(TOY, tiny(), workers=workers, epochs=epochs, resume=resume, journals=journals, **extra)  # type: ignore[arg-type]


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one() -> None:
    whole = simulate(TOY, tiny(), workers=5, epochs=4)
    first = simulate(TOY, tiny(), workers=5, epochs=2)
    rest = resumed(dict(first.journals), 2)
    assert weights(rest) == weights(whole)


def test_a_worker_restored_from_an_older_model_takes_part_only_after_an_epoch() -> None:
    """Its gradient there may have been opened before, in another epoch and over another set."""
    before = simulate(TOY, tiny(40), workers=5, epochs=3)
    stale = MemoryJournal()
    model = before.journals[3].read("model", 2)
    assert model is not None
    stale.write("model", 2, model)
    again = simulate(TOY, tiny(40), workers=5, epochs=5, resume=3, journals={**before.journals, 3: stale})
    assert not again.errors
    uploaded = {
        sent.message.epoch
        for sent in again.transcript
        if sent.sender == 3 and isinstance(sent.message, Upload)
    }
    assert uploaded == {5}
    assert opened_by(again, 3) == {5}


def opened_by(simulation: Simulation, worker: int) -> set[int]:
    """The epochs in which a worker is in some closed set."""
    return {
        sent.message.epoch
        for sent in simulation.transcript
        if isinstance(sent.message, Closed)
        and active.contains(active.from_bytes(sent.message.sets, 5), worker).any()
    }


def test_an_epoch_that_nobody_was_in_time_for_ends_the_run_by_name() -> None:
    """Links that take nothing: each step costs the manager its time-out, and not more."""
    system = TOY.model_copy(update={"timeout_seconds": 5.0})
    network = Network(bandwidth_bytes_per_second=2.0)  # a bitmap alone takes minutes
    simulation = simulate(system, tiny(4000), workers=4, epochs=1, network=network)
    error = simulation.errors[MANAGER]
    assert isinstance(error, PeerTimeout)
    assert "timeout_seconds = 5" in str(error)
    assert error.culprits == (1, 2, 3, 4)


def test_a_checkpoint_of_another_model_is_refused_by_name() -> None:
    first = simulate(TOY, tiny(7), workers=4, epochs=1)
    again = simulate(TOY, tiny(9), workers=4, epochs=2, resume=1, journals=first.journals)
    assert all("7 parameters and the model 9" in str(again.errors[party]) for party in range(5))


def opened_sets(simulation: Simulation, epoch: int) -> active.Sets:
    journal = simulation.journals[MANAGER].read("sets", epoch)
    assert journal is not None
    return active.from_bytes(journal["sets"].tobytes(), 5)


@pytest.mark.parametrize("scheme", [INSECURE_TOY, PairwiseSettings()], ids=lambda scheme: scheme.type)
def test_a_repeated_epoch_opens_no_second_sum_over_another_set(scheme: SchemeSettings) -> None:
    """Epoch 3 is run, then again without worker 1: its blocks are missed, not opened over smaller sets."""
    system = TOY.model_copy(update={"spare": 1, "scheme": scheme})
    before = simulate(system, tiny(30), workers=5, epochs=3)
    sets = opened_sets(before, 3)
    again = simulate(
        system, tiny(30), workers=5, epochs=3, resume=2, journals=before.journals, leave={1: 0.0}
    )
    assert not again.errors
    told = [sent.message for sent in again.transcript if isinstance(sent.message, Closed)]
    closed = active.from_bytes(told[0].sets, 5)
    reopened = closed != 0
    assert (closed[reopened] == sets[reopened]).all()
    assert (~reopened).any()
    (epoch,) = [record for record in again.records if record["kind"] == "epoch"]
    assert epoch["opened"] == reopened.sum()


def test_workers_refuse_a_manager_that_closes_a_repeated_epoch_over_other_sets() -> None:
    before = simulate(TOY.model_copy(update={"spare": 1}), tiny(30), workers=5, epochs=3)
    forgetful = {**before.journals, MANAGER: MemoryJournal()}
    model = before.journals[MANAGER].read("model", 2)
    assert model is not None
    forgetful[MANAGER].write("model", 2, model)
    again = simulate(
        TOY.model_copy(update={"spare": 1}),
        tiny(30),
        workers=5,
        epochs=3,
        resume=2,
        journals=forgetful,
        leave={1: 0.0},
    )
    refusals = [error for party, error in again.errors.items() if party != MANAGER]
    assert refusals
    assert all(isinstance(error, ProtocolError) and "another set" in str(error) for error in refusals)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"threshold": 2, "insecure": False}, "system.threshold"),
        ({"threshold": 6}, "system.threshold"),
        ({"opening_threshold": 2}, "system.opening_threshold"),
        ({"share": 0.3}, "system.share"),
        ({"insecure": False}, "system.scheme"),
        ({"range": 1e6, "fraction_bits": 20}, "system.scheme"),
        ({"block": 2_000_000}, "system.block"),
    ],
)
def test_impossible_and_unsafe_settings_are_refused_by_place(change: dict[str, object], place: str) -> None:
    problems = TOY.model_copy(update=change).problems(5)
    assert any(problem.startswith(place) for problem in problems), problems


def test_more_openers_than_members_can_be_asked_for() -> None:
    system = TOY.model_copy(update={"opening_threshold": 4})
    simulation = simulate(system, tiny(), workers=5, epochs=2)
    assert not simulation.errors
    assert weights(simulation) == weights(simulate(plain(TOY), tiny(), workers=5, epochs=2))


def test_credentials_hold_no_other_partys_secret() -> None:
    from mdl.schemes.randomness import SystemRandomness
    from mdl.systems.credentials import Credentials

    dealt = {
        party: msgspec.msgpack.decode(data, type=Credentials)
        for party, data in TOY.deal(5, rng=SystemRandomness()).items()
    }
    assert dealt[MANAGER].secret == b""
    assert len({credentials.secret for credentials in dealt.values()}) == 6
    assert "secret" not in repr(dealt[1])


def senders(simulation: Simulation, kinds: Sequence[type]) -> set[int]:
    return {sent.sender for sent in simulation.transcript if isinstance(sent.message, tuple(kinds))}


def test_each_role_receives_only_its_kinds_and_no_hiding_message_has_plain_floats() -> None:
    simulation = simulate(TOY, tiny(), workers=4, epochs=2)
    for sent in simulation.transcript:
        assert type(sent.message) in TOY.receives(sent.receiver)
        assert (sent.sender == MANAGER) != (sent.receiver == MANAGER)
    assert senders(simulation, [Upload]) == {1, 2, 3, 4}
    assert senders(simulation, [Download, Closed]) == {MANAGER}
