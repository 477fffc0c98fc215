"""∝MDL^d under the simulator, behaviour by behaviour; random schedules are in test_dynamic_schedules."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mdl.config import parse
from mdl.errors import ConfigError, PeerTimeout, ProtocolError, TooFewWorkers
from mdl.party import MANAGER, Message, PartyId
from mdl.protocols import sets as active
from mdl.protocols.opening import Answer, Open
from mdl.protocols.policies import (
    AllDownload,
    ContributionDownload,
    Deficit,
    QuotaDownload,
    ReservedSeats,
    StaleFirstDownload,
)
from mdl.protocols.versions import Closing
from mdl.schemes.settings import ElGamalSettings, PlainSettings
from mdl.simulator import Network, Simulation, simulate
from mdl.simulator.party import SimulatedParty
from mdl.system import Stop
from mdl.systems import dynamic
from mdl.systems.costs import VersionBytes
from mdl.systems.dynamic import Dynamic, Refresh, Upload, Values
from mdl.systems.dynamic.worker import Worker
from mdl.vectors import Blocks, fingerprint
from tests.tiny import TinyLearner, tiny

TOY = Dynamic(
    threshold=3,
    scheme=ElGamalSettings(group="insecure64"),
    insecure=True,
    range=4.0,
    fraction_bits=8,
)
PLAIN = TOY.model_copy(update={"scheme": PlainSettings()})
PRINTED = TOY.model_copy(update={"mode": "paper"})
SLOW = Network(latency_seconds=0.1)


def with_(system: Dynamic, **changes: Any) -> Dynamic:
    return system.model_copy(update=changes)


def messages(simulation: Simulation, kind: type[Message]) -> list[Any]:
    return [sent for sent in simulation.transcript if isinstance(sent.message, kind)]


def ids(packed: bytes) -> list[int]:
    return [int(block) for block in np.frombuffer(packed, "<u4")]


def at_pace(**seconds: float) -> Callable[[PartyId], list[float]]:
    """Delays by worker: ``at_pace(w1=2.0)``; the others take one second."""
    return lambda party: [seconds.get(f"w{party}", 1.0)]


# ------------------------------------------------------------------------------------------------- results


@pytest.mark.parametrize("mode", ["safe", "paper"])
def test_where_all_contribute_to_everything_it_is_the_plain_mean_epoch_after_epoch(mode: str) -> None:
    """With m = n every set is everybody, so both modes must give the one result that there is."""
    system = with_(TOY, threshold=4, mode=mode)
    simulation = simulate(system, tiny(9), workers=4, epochs=3, delays=at_pace(), network=SLOW)
    start = TinyLearner(1, 9).parameters()
    model = start.astype(np.float64)
    sums = np.zeros(9, np.int64)
    for epoch in (1, 2, 3):
        for worker in (1, 2, 3, 4):
            learner = TinyLearner(worker, 9)
            learner.load(model.astype(np.float32))
            gradient = (model.astype(np.float32) - learner.train(epoch).parameters.astype(np.float64)) / 0.5
            sums += system.grid(4).encode(gradient)[0]
        model = (start - 0.5 * sums / 4 * 2.0**-8).astype(np.float32).astype(np.float64)
    assert not simulation.errors
    np.testing.assert_array_equal(simulation.outcomes[MANAGER].parameters, model.astype(np.float32))


def test_safe_and_printed_protocol_give_the_same_weights_where_the_order_is_the_same() -> None:
    """Workers come one after the other, so the sets cannot depend on how long an exchange takes.

    They offer everything, so that an epoch's end falls between two openings and never among several.
    """
    pace = at_pace(w1=1.0, w2=1.2, w3=1.4, w4=1.6, w5=1.8)
    systems = [with_(system, share=1.0) for system in (TOY, PRINTED, PLAIN)]
    found = {
        fingerprint(simulate(system, tiny(30), workers=5, epochs=3, delays=pace).outcomes[MANAGER].parameters)
        for system in systems
    }
    assert len(found) == 1


def test_a_fast_worker_trains_more_epochs_and_waits_for_nobody() -> None:
    simulation = simulate(PLAIN, tiny(40), workers=4, epochs=6, delays=at_pace(w4=8.0), network=SLOW)
    epochs = {party: outcome.epochs for party, outcome in simulation.outcomes.items()}
    assert epochs[MANAGER] == 6
    assert epochs[4] < epochs[1]
    assert simulation.seconds < 8.0 * 6 / 2


def test_first_come_is_less_even_than_reserved_seats() -> None:
    """Jain's index of accepted contributions, workers' speeds as N(5i, 1) has them on average."""

    def jain(system: Dynamic) -> float:
        pace = at_pace(**{f"w{i}": 10.0 + 5 * i for i in range(1, 9)})
        simulation = simulate(system, tiny(200), workers=8, epochs=12, delays=pace)
        counts = np.array(
            [r["count"] for r in simulation.records if r["kind"] == "accepted" and r["epoch"] == 12]
        )
        return float(counts.sum() ** 2 / (8 * (counts**2).sum()))

    first_come = with_(PLAIN, threshold=4)
    assert jain(first_come) < 0.9
    assert jain(with_(first_come, admission=ReservedSeats(seats=2, patience_seconds=30))) > 0.95
    assert jain(with_(first_come, admission=Deficit(slack=1.0, patience_seconds=30))) > 0.95


def test_it_stops_when_the_metric_no_longer_improves() -> None:
    stop = Stop(patience=2, metric="loss")
    simulation = simulate(PLAIN, tiny(), workers=4, epochs=60, stop=stop, delays=at_pace())
    assert simulation.outcomes[MANAGER].epochs < 60
    assert "no better loss" in simulation.outcomes[MANAGER].reason
    assert simulation.outcomes[1].reason == simulation.outcomes[MANAGER].reason


# ------------------------------------------------------------------------------------ sets close, late ones


def late_uploads(max_staleness: int) -> list[Upload]:
    """Workers 1 to 3 make version 1; worker 4 uploads everything before it has heard of that."""
    pace = at_pace(w1=1.0, w2=1.1, w3=1.2, w4=1.3)
    system = with_(PLAIN, share=1.0, max_staleness=max_staleness)
    network = Network(latency_seconds=0.5)
    simulation = simulate(system, tiny(4), workers=4, epochs=2, delays=pace, network=network)
    first = messages(simulation, Closing)[0].message
    assert active.members(int(active.from_bytes(first.sets, 4)[0])) == (1, 2, 3)
    return [sent.message for sent in messages(simulation, Upload) if sent.sender == 4]


def test_a_set_closes_at_the_mth_contribution_and_a_late_one_goes_to_the_next_version() -> None:
    first, second, *_ = late_uploads(max_staleness=1)
    assert (first.version, second.version) == (1, 2)
    assert first.body == second.body  # the same gradient: nothing of it was opened


def test_what_is_too_stale_is_dropped() -> None:
    first, *others = late_uploads(max_staleness=0)
    assert first.version == 1
    assert all(other.body != first.body for other in others)


def test_no_share_is_given_before_the_worker_was_told_of_the_closed_set() -> None:
    simulation = simulate(TOY, tiny(20), workers=5, epochs=3, delays=at_pace(w5=3.0), network=SLOW)
    told: dict[PartyId, set[tuple[int, int]]] = {worker: set() for worker in range(1, 6)}
    asked = 0
    for sent in simulation.transcript:
        if isinstance(sent.message, Closing):
            told[sent.receiver] |= {(sent.message.version, block) for block in ids(sent.message.blocks)}
        elif isinstance(sent.message, Open):
            for group in sent.message.groups:
                asked += 1
                assert {(sent.message.epoch, block) for block in ids(group.blocks)} <= told[sent.receiver]
                assert len(group.members) == 3
    assert asked


def test_while_one_version_is_opened_the_next_collects_up_to_the_window() -> None:
    """Opening takes a round trip of two seconds, an epoch a tenth."""
    network = Network(latency_seconds=1.0)

    def most_at_once(window: int) -> int:
        system = with_(TOY, threshold=3, share=1.0, window=window, download=AllDownload(), max_staleness=9)
        quick = lambda party: [0.1]  # noqa: E731
        simulation = simulate(system, tiny(2), workers=8, epochs=8, delays=quick, network=network)
        closed: dict[int, set[int]] = {0: set(), 1: set()}
        most = 0
        for sent in simulation.transcript:
            if isinstance(sent.message, Closing):
                for block in ids(sent.message.blocks):
                    closed[block].add(sent.message.version)
            elif isinstance(sent.message, Values):
                for block in ids(sent.message.blocks):
                    closed[block].discard(sent.message.version)
            most = max(most, *map(len, closed.values()))
        return most

    assert [most_at_once(window) for window in (1, 2)] == [1, 2]


# ------------------------------------------------------------------------------------- downloads, selection


def test_by_contribution_a_worker_gets_only_what_it_contributed_to() -> None:
    simulation = simulate(TOY, tiny(40), workers=5, epochs=2, delays=at_pace(), network=SLOW)
    sets = {
        (sent.message.version, block): mask
        for sent in messages(simulation, Closing)
        for block, mask in zip(
            ids(sent.message.blocks), active.from_bytes(sent.message.sets, 5).tolist(), strict=True
        )
    }
    handed = messages(simulation, Values)
    assert handed
    for sent in handed:
        for block in ids(sent.message.blocks):
            assert sent.receiver in active.members(sets[sent.message.version, block])


def test_a_free_rider_gets_the_model_where_everybody_downloads_and_nothing_where_contributors_do() -> None:
    """Worker 4 takes so long to train that it contributes nothing."""

    def received(download: ContributionDownload | AllDownload) -> int:
        system = with_(PLAIN, download=download)
        simulation = simulate(system, tiny(40), workers=4, epochs=3, delays=at_pace(w4=1e6), network=SLOW)
        return sum(len(ids(s.message.blocks)) for s in messages(simulation, Values) if s.receiver == 4)

    assert received(AllDownload()) >= 3 * 40
    assert received(ContributionDownload()) == 0


@pytest.mark.parametrize("policy", [QuotaDownload(share=0.25), StaleFirstDownload(share=0.25)])
def test_a_quota_is_handed_out_after_each_epoch(policy: QuotaDownload | StaleFirstDownload) -> None:
    simulation = simulate(
        with_(PLAIN, download=policy), tiny(40), workers=4, epochs=4, delays=at_pace(), network=SLOW
    )
    refreshed = [len(ids(sent.message.blocks)) for sent in messages(simulation, Refresh)]
    assert refreshed
    assert max(refreshed) == 10
    assert not messages(simulation, Values)


def test_by_magnitude_a_worker_offers_where_its_gradient_is_largest() -> None:
    system = with_(PLAIN, selection="magnitude", share=0.75)
    simulation = simulate(system, tiny(40), workers=4, epochs=1, delays=at_pace())
    learner = TinyLearner(2, 40)
    gradient = np.abs(learner.parameters() - learner.train(1).parameters)
    offered = [b for s in messages(simulation, Upload) if s.sender == 2 for b in ids(s.message.blocks)][:30]
    rest = np.setdiff1d(np.arange(40), offered)
    # Encoded, values that differ by less than a step of the grid are equal.
    assert gradient[offered].min() >= gradient[rest].max() - 2 * 2.0**-8


# ----------------------------------------------------------------------------------------- costs on the wire


@pytest.mark.parametrize("mode", ["safe", "paper"])
@pytest.mark.parametrize(("workers", "m"), [(4, 4), (8, 8)])
def test_bytes_on_the_wire_equal_the_formula(mode: str, workers: int, m: int) -> None:
    size = 1_000
    system = with_(TOY, mode=mode, threshold=m, scheme=ElGamalSettings(group="insecure256"))
    simulation = simulate(system, tiny(size), workers=workers, epochs=1, delays=at_pace())
    formula = VersionBytes(workers, m, Blocks(size, 1), system.build_scheme(workers), mode == "paper")
    expected = formula.by_kind()
    counted = dict.fromkeys(expected, 0)
    for sent in simulation.transcript:
        kind = type(sent.message).__name__
        if kind in counted:
            counted[kind] += sent.size_bytes
    assert sum(counted.values()) == pytest.approx(sum(expected.values()), rel=0.02)
    for kind in ("Upload", "Open", "Answer", "Values", "Raise", "Raised", "RaiseOwn", "RaisedOwn"):
        if kind in expected:
            assert counted[kind] == pytest.approx(expected[kind], rel=0.05), kind


@pytest.mark.parametrize("m", [2, 3, 4, 8])
def test_as_printed_an_update_costs_m2_plus_3m_elements(m: int) -> None:
    """(m² + 3m)·G [∝MDL, §V-C c], where the coordinated variant has 4m·G."""
    scheme = with_(PRINTED, threshold=m).build_scheme(8)
    kinds = VersionBytes(8, m, Blocks(1_000, 1), scheme, printed=True).by_kind()
    named = 4 * m + (m - 1) * 5 + 4 * m  # blocks and counts of earlier members
    elements = sum(kinds[kind] for kind in ("Upload", "Raise", "Raised", "RaiseOwn", "RaisedOwn"))
    assert elements - 1_000 * named == (m * m + 3 * m) * 1_000 * scheme.share_bytes


# -------------------------------------------------------------------------------------------------- losses


def test_members_that_leave_after_their_upload_are_replaced_by_helpers() -> None:
    pace = at_pace(w1=1.0, w2=1.0, w3=1.0, w4=30.0, w5=30.0, w6=30.0)
    network = Network(latency_seconds=0.1)
    everything = with_(TOY, share=1.0)
    whole = simulate(everything, tiny(), workers=6, epochs=1, delays=pace, network=network)
    closed_at = messages(whole, Closing)[0].seconds
    gone = dict.fromkeys((1, 2, 3), closed_at + 0.15)  # told, and asked, but too late to answer
    simulation = simulate(everything, tiny(), workers=6, epochs=1, delays=pace, network=network, leave=gone)
    assert not simulation.errors
    assert {sent.sender for sent in messages(simulation, Answer)} >= {4, 5, 6}
    np.testing.assert_array_equal(simulation.outcomes[MANAGER].parameters, whole.outcomes[MANAGER].parameters)


@pytest.mark.parametrize("system", [TOY, PRINTED])
def test_n_minus_m_workers_may_go_one_after_the_other(system: Dynamic) -> None:
    leave = {1: 3.0, 2: 6.0, 3: 9.0}
    simulation = simulate(system, tiny(), workers=6, epochs=12, delays=at_pace(), network=SLOW, leave=leave)
    assert not simulation.errors
    assert simulation.outcomes[MANAGER].epochs == 12


def test_with_fewer_than_m_the_run_ends_by_name_and_the_others_keep_their_models() -> None:
    leave = {1: 3.0, 2: 4.0}
    simulation = simulate(TOY, tiny(), workers=4, epochs=50, delays=at_pace(), network=SLOW, leave=leave)
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers)
    assert "m = 3" in str(simulation.errors[MANAGER])
    assert simulation.outcomes[3].epochs > 0
    assert "remain" in simulation.outcomes[3].reason


def test_a_worker_that_hangs_costs_a_time_out_and_is_asked_last_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = Worker._answer

    async def silent(self: Worker, question: Any) -> None:
        if self._party.id != 2:
            await answer(self, question)

    monkeypatch.setattr(Worker, "_answer", silent)
    system = with_(TOY, timeout_seconds=5.0)
    simulation = simulate(system, tiny(), workers=5, epochs=6, delays=at_pace(), network=SLOW)
    assert not simulation.errors
    asked = [sent.seconds for sent in messages(simulation, Open) if sent.receiver == 2]
    assert asked
    assert max(asked) < min(asked) + 5.0
    assert simulation.outcomes[MANAGER].epochs == 6


def test_a_worker_that_takes_no_message_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    send = SimulatedParty.send

    async def stuck(self: SimulatedParty, to: PartyId, message: Message) -> None:
        if to == 2 and not isinstance(message, dynamic.Welcome):
            import asyncio

            await asyncio.sleep(1e9)
        await send(self, to, message)

    monkeypatch.setattr(SimulatedParty, "send", stuck)
    system = with_(TOY, timeout_seconds=5.0)
    simulation = simulate(
        system, tiny(), workers=5, epochs=4, delays=at_pace(), network=SLOW, leave={2: 200.0}
    )
    assert simulation.outcomes[MANAGER].epochs == 4


def test_as_printed_a_newcomer_that_is_too_slow_to_raise_anything_is_given_up() -> None:
    """It could not be told that it lost its seats: that all waited for ever was the end of such a run."""
    system = with_(PRINTED, timeout_seconds=1.0)
    network = Network(latency_seconds=5.0)
    simulation = simulate(system, tiny(), workers=4, epochs=1, delays=at_pace(), network=network)
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers)


def test_whoever_comes_back_takes_part_again_with_its_key_share() -> None:
    for system in (TOY, PRINTED):
        simulation = simulate(
            system,
            tiny(),
            workers=4,
            epochs=14,
            delays=at_pace(),
            network=SLOW,
            absences={2: [(2.5, 5.25)]},
        )
        assert not simulation.errors
        uploaded = [sent.seconds for sent in messages(simulation, Upload) if sent.sender == 2]
        assert any(seconds > 5.25 for seconds in uploaded)
        if system is TOY:
            assert any(s.seconds > 5.25 for s in messages(simulation, Answer) if s.sender == 2)


def test_a_run_is_taken_up_where_every_party_was() -> None:
    first = simulate(PLAIN, tiny(), workers=4, epochs=3, delays=at_pace(w4=2.0))
    resume = {party: outcome.epochs for party, outcome in first.outcomes.items()}
    second = simulate(
        PLAIN, tiny(), workers=4, epochs=5, delays=at_pace(w4=2.0), resume=resume, journals=first.journals
    )
    assert not second.errors
    assert second.outcomes[MANAGER].epochs == 5
    trained = {(r["party"], r["epoch"]) for r in first.records if r["kind"] == "done"}
    again = {(r["party"], r["epoch"]) for r in second.records if r["kind"] == "done"}
    assert not trained & again


# ----------------------------------------------------------------------------------------------- refusals


def test_a_worker_refuses_a_manager_that_counts_it_in_where_it_uploaded_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forged(full: Any, workers: int) -> list[Closing]:
        return [Closing(full.version, full.blocks.astype("<u4").tobytes(), b"\x13" * len(full.blocks))]

    monkeypatch.setattr("mdl.systems.dynamic.manager.closings", forged)
    pace = at_pace(w5=50.0)
    simulation = simulate(TOY, tiny(), workers=5, epochs=1, delays=pace, network=SLOW)
    error = simulation.errors[5]
    assert isinstance(error, ProtocolError)
    assert error.culprits == (MANAGER,)
    assert "uploaded nothing" in str(error)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"mode": "paper"}, "system.insecure = true"),
        ({"mode": "paper", "insecure": True, "scheme": {"type": "plain"}}, "system.scheme.type"),
        (
            {"mode": "paper", "insecure": True, "scheme": {"type": "elgamal", "group": "secp256k1"}},
            "secp256k1 is no such group",
        ),
        (
            {"mode": "paper", "insecure": True, "scheme": {"type": "elgamal", "form": "naive"}},
            'system.scheme.form = "single"',
        ),
        (
            {"mode": "paper", "insecure": True, "admission": {"type": "deficit"}},
            'admission.type = "first-come"',
        ),
        ({"mode": "paper", "insecure": True, "opening_threshold": 6}, "system.opening_threshold"),
        ({"admission": {"type": "reserved-seats", "seats": 5}}, "system.admission.seats"),
        ({"threshold": 2}, "system.threshold"),
        ({"window": 0}, "system.window"),
        ({"spare": 1}, "system.spare"),
        ({"download": {"type": "quota", "share": 1.5}}, "system.download.share"),
        ({"download": {"type": "quotas"}}, "quota"),
    ],
)
def test_impossible_and_unsafe_settings_are_refused_by_place(changes: dict[str, Any], place: str) -> None:
    system: dict[str, Any] = {"type": "dynamic", "threshold": 4, **changes}
    with pytest.raises(ConfigError) as caught:
        parse({"name": "x", "workers": 8, "epochs": 1, "system": system})
    assert place in str(caught.value)


def test_the_printed_mode_says_what_it_leaks() -> None:
    said = " ".join(PRINTED.explain(8, 2410))
    assert "LEAKS" in said
    assert "outside" in said
    assert "LEAKS" not in " ".join(TOY.explain(8, 2410))


def test_each_role_receives_only_its_kinds() -> None:
    for system in (TOY, PRINTED):
        kinds = set(system.receives(MANAGER)) & set(system.receives(1))
        assert not kinds
    assert Answer not in PRINTED.receives(MANAGER)
    assert Open not in PRINTED.receives(1)


def test_links_that_take_nothing_end_the_run_by_name() -> None:
    system = with_(TOY, timeout_seconds=5.0)
    network = Network(bandwidth_bytes_per_second=2.0)
    simulation = simulate(
        system, tiny(400), workers=4, epochs=1, network=network, leave=dict.fromkeys((1, 2), 5000.0)
    )
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers | PeerTimeout)


def test_a_run_in_which_nothing_can_be_opened_ends_by_name() -> None:
    """Answers take two seconds and have one: without an update there is no epoch, hence no end."""
    system = with_(TOY, timeout_seconds=1.0)
    network = Network(latency_seconds=1.0)
    simulation = simulate(system, tiny(20), workers=4, epochs=2, delays=at_pace(), network=network)
    error = simulation.errors[MANAGER]
    assert isinstance(error, PeerTimeout)
    assert "epoch 1 could open nothing" in str(error)
    assert set(error.culprits) <= {1, 2, 3, 4}
    assert all("could open nothing" in simulation.outcomes[worker].reason for worker in (1, 2, 3, 4))
