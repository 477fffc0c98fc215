"""Secure quantised training as a system: as one party would train on all data; resumed; ended by name."""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from scipy import stats

from mdl.config import Experiment, parse
from mdl.errors import CheatingDetected, ConfigError, MalformedMessage, PeerLeft, PeerTimeout
from mdl.learning.building import build_learner
from mdl.learning.datasets import load
from mdl.learning.local import LocalLearner
from mdl.mpc.fixed import PARAMETER_BITS, decoded, encoded
from mdl.mpc.messages import Sealed
from mdl.mpc.networks import secretly
from mdl.mpc.optimisers import Sgd
from mdl.mpc.rep3_malicious import Rep3Malicious
from mdl.mpc.ring import RING_63
from mdl.mpc.seals import Seal
from mdl.mpc.session import Session
from mdl.mpc.spdz2k import AuthenticatedHolder
from mdl.mpc.training import one_hot, step
from mdl.mpc.wide import Wide
from mdl.party import Message, PartyId
from mdl.rehearsal import cast
from mdl.simulator import Network, Simulation, simulate
from mdl.simulator.party import SimulatedParty, from_table
from mdl.simulator.run import MemoryJournal
from mdl.systems import QuantisedMpc
from mdl.systems.quantised_mpc.messages import Announcement
from mdl.transport.codec import Codec
from mdl.vectors import fingerprint
from tests.mpc.parties import plainly

TABLES: Mapping[str, Any] = {
    "name": "mpc",
    "workers": 3,
    "epochs": 2,
    "system": {"type": "quantised-mpc", "rounding": "nearest", "timeout_seconds": 20.0},
    "learning": {
        "model": "digits-mlp",
        "split": "disjoint",
        "optimiser": "momentum",
        "learning_rate": 0.1,
        "batch": 16,
        "local_steps": 3,
        "test_limit": 60,
    },
}


def experiment(system: Mapping[str, Any] | None = None, **learning: Any) -> Experiment:
    tables = {**TABLES, "learning": {**TABLES["learning"], **learning}}
    return parse({**tables, "system": {**TABLES["system"], **(system or {})}})


def run(found: Experiment, *, epochs: int = 2, **options: Any) -> Simulation:
    learners = cast(found, None)
    return simulate(found.system, learners.__getitem__, workers=3, epochs=epochs, seed=found.seed, **options)


def weights(simulation: Simulation) -> str:
    """The fingerprint that all three parties have."""
    assert not simulation.errors
    (found,) = {fingerprint(outcome.parameters) for outcome in simulation.outcomes.values()}
    return found


@cache
def whole() -> Simulation:
    return run(experiment())


def by_one_party(found: Experiment, epochs: int) -> np.ndarray[Any, Any]:
    """The same batches, trained in the clear in the same integers."""
    learners = cast(found, None)
    rows = {1: 6, 2: 5, 3: 5}

    async def program(engine: Any) -> torch.Tensor:
        network = secretly(engine, learners[1].network)
        optimiser = Sgd(learners[1].learning_rate, 4, learners[1].recipe.momentum)
        for epoch in range(1, epochs + 1):
            batches = {party: learners[party].batches(epoch, count, 3) for party, count in rows.items()}
            for _ in range(3):
                parts = [next(batches[party]) for party in rows]
                images = torch.cat([encoded(torch.from_numpy(images)) for images, _ in parts])
                labels = torch.cat([one_hot(torch.from_numpy(labels), 10) for _, labels in parts])
                await step(engine, network, optimiser, engine.public(images), engine.public(labels))
        return await network.opened(engine)

    return plainly(program).numpy().astype(np.float32)


def test_three_parties_train_as_one_would_on_all_their_data() -> None:
    assert weights(whole()) == fingerprint(by_one_party(experiment(), 2))


def test_rounded_at_random_they_come_near() -> None:
    found = run(experiment({"rounding": "probabilistic"}))
    weights(found)
    np.testing.assert_allclose(found.outcomes[1].parameters, by_one_party(experiment(), 2), atol=1e-3)


def ends(security: str, workers: int) -> Simulation:
    tables = {**TABLES, "workers": workers, "system": {**TABLES["system"], "security": security}}
    found = parse({**tables, "epochs": 1, "learning": {**TABLES["learning"], "local_steps": 1}})
    learners = cast(found, None)
    return simulate(found.system, learners.__getitem__, workers=workers, epochs=1, seed=found.seed)


@cache
def of_three() -> str:
    return weights(ends("rep3", 3))


@pytest.mark.parametrize("security", ["rep3-malicious", "dealer", "spdz2k", "shamir"])
def test_all_security_models_train_three_owners_to_the_same_weights(security: str) -> None:
    found = ends(security, 3)
    assert not found.errors
    assert {fingerprint(found.outcomes[worker].parameters) for worker in (1, 2, 3)} == {of_three()}
    if 0 in found.outcomes:
        assert len(found.outcomes[0].parameters) == 0, "a dealer learns no model"


def test_four_owners_train_to_the_same_weights_however_they_share() -> None:
    assert weights(ends("rep4", 4)) == weights(ends("shamir", 4))


@pytest.mark.parametrize(
    ("security", "workers"),
    [
        ("rep3-malicious", 3),
        ("rep4", 4),
        ("dealer", 2),
        ("spdz2k", 2),
        pytest.param("spdz2k", 3, marks=pytest.mark.exhaustive),
        ("shamir", 3),
    ],
)
def test_shares_of_every_kind_are_taken_up_again(security: str, workers: int) -> None:
    first = ends(security, workers)
    tables = {**TABLES, "workers": workers, "system": {**TABLES["system"], "security": security}}
    found = parse({**tables, "epochs": 2, "learning": {**TABLES["learning"], "local_steps": 1}})
    learners = cast(found, None)
    options: dict[str, Any] = {"workers": workers, "epochs": 2, "seed": found.seed}
    rest = simulate(found.system, learners.__getitem__, resume=1, journals=first.journals, **options)
    whole = simulate(found.system, learners.__getitem__, **options)
    assert not rest.errors
    assert fingerprint(rest.outcomes[1].parameters) == fingerprint(whole.outcomes[1].parameters)


def test_what_is_written_down_has_been_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a falsified share that is taken up again, nobody could tell any more."""
    state, left = Session.state, []

    def noted(self: Session) -> Any:
        engine = self._engine
        assert isinstance(engine, Rep3Malicious)
        left.append(engine._remembered_bytes)
        return state(self)

    monkeypatch.setattr(Session, "state", noted)
    assert not ends("rep3-malicious", 3).errors
    assert left == [0] * 6, "after the epoch, and with the parameters that are opened"


def test_what_was_falsified_is_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the key of another start it would be taken for what was shared."""
    summed = AuthenticatedHolder._summed

    async def false_sum(self: AuthenticatedHolder, own: Wide, mac: Wide) -> Wide:
        return await summed(self, own + 1 if self.party == 0 else own, mac)

    monkeypatch.setattr(AuthenticatedHolder, "_summed", false_sum)
    found = ends("spdz2k", 3)
    assert {type(found.errors[worker]) for worker in (1, 2, 3)} <= {CheatingDetected, PeerLeft}
    assert all(found.journals[worker].read("model", 1) is None for worker in (1, 2, 3))


def taken_up(security: str, journals: Mapping[PartyId, MemoryJournal]) -> Simulation:
    """Go on from the first epoch."""
    tables = {**TABLES, "system": {**TABLES["system"], "security": security}}
    found = parse({**tables, "learning": {**TABLES["learning"], "local_steps": 1}})
    learners = cast(found, None)
    options: dict[str, Any] = {"workers": 3, "epochs": 2, "seed": found.seed}
    return simulate(found.system, learners.__getitem__, resume=1, journals=journals, **options)


@pytest.mark.parametrize("security", ["rep3", "spdz2k"])
@pytest.mark.parametrize("other", [pytest.param(1, marks=pytest.mark.exhaustive), 3])
def test_who_has_kept_what_another_start_has_written_is_found_out(security: str, other: PartyId) -> None:
    """Weights are the same in both starts, bit for bit; their shares are not."""
    first, second = ends(security, 3), ends(security, 3)
    found = taken_up(security, {**first.journals, other: second.journals[other]})
    assert not found.outcomes
    assert {str(found.errors[party]) for party in (1, 2, 3) if party != other} == {
        f"checkpoints are not of the same start of the run (worker {other})"
    }


@pytest.mark.parametrize("other", [pytest.param(0, marks=pytest.mark.exhaustive), 2])
def test_who_has_kept_another_epoch_of_the_same_start_is_found_out_by_the_macs(other: PartyId) -> None:
    tables = {**TABLES, "system": {**TABLES["system"], "security": "spdz2k"}}
    tables = {**tables, "learning": {**TABLES["learning"], "local_steps": 1}}
    learners = cast(parse(tables), None)
    first = simulate(parse(tables).system, learners.__getitem__, workers=3, epochs=2, seed=0)
    journal = first.journals[other]
    later = journal.read("model", 2)
    assert later is not None
    journal.write("model", 1, later)
    found = taken_up("spdz2k", first.journals)
    assert not found.outcomes.keys() & {1, 2, 3}
    said = [error for error in found.errors.values() if isinstance(error, CheatingDetected)]
    assert said
    assert {error.what for error in said} == {"checkpoints are not of the same epoch and start, or changed"}


def test_who_is_to_learn_the_model_alone_learns_it() -> None:
    found = run(experiment({"opening": 2}))
    assert not found.errors
    assert fingerprint(found.outcomes[2].parameters) == weights(whole())
    assert [len(found.outcomes[party].parameters) for party in (1, 3)] == [0, 0]
    kept = {party: found.journals[party].read("model", 2) for party in (1, 2, 3)}
    assert ["parameters" in (kept[party] or {}) for party in (1, 2, 3)] == [False, True, False]


def test_a_model_that_nobody_is_to_learn_stays_shared() -> None:
    found = run(experiment({"opening": "none"}))
    assert not found.errors
    assert all(len(outcome.parameters) == 0 for outcome in found.outcomes.values())
    assert all("parameters" not in (found.journals[party].read("model", 2) or {}) for party in (1, 2, 3))
    first, second = (found.journals[party].read("model", 2) for party in (1, 2))
    assert first is not None
    assert second is not None
    # Party 1 has components 0 and 1, party 2 has 1 and 2.
    name = "1.weight"
    np.testing.assert_array_equal(first[f"{name}.1"], second[f"{name}.0"])
    weight = decoded(
        RING_63.signed(torch.from_numpy(first[f"{name}.0"] + first[f"{name}.1"] + second[f"{name}.1"])),
        fraction_bits=PARAMETER_BITS,
    ).numpy()
    expected = whole().outcomes[1].parameters[: weight.size].reshape(weight.shape[::-1]).T
    np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-7)


def test_the_training_loss_is_told_to_all_where_that_is_wanted() -> None:
    found = run(experiment({"loss": True}))
    assert weights(found) == weights(whole())  # it changes nothing
    told = [event for event in found.records if event["kind"] == "trained"]
    by_epoch = {epoch: {e["loss"] for e in told if e["epoch"] == epoch} for epoch in (1, 2)}
    assert all(len(losses) == 1 for losses in by_epoch.values())
    (first,), (second,) = by_epoch.values()
    assert 2.0 < first < 2.7  # ln 10 = 2.3 before anything is learnt
    assert second < first
    assert not [event for event in whole().records if event["kind"] == "trained" and "loss" in event]


def test_costs_are_told_by_phase() -> None:
    costs = [event for event in whole().records if event["kind"] == "cost"]
    of_steps = [event for event in costs if event["steps"] and event["epoch"] == 2]
    assert {event["party"] for event in of_steps} == {1, 2, 3}
    names = [event["phase"] for event in of_steps if event["party"] == 1]
    assert names[0] == "inputs"
    assert {"softmax", "update"} < set(names)
    assert {event["steps"] for event in of_steps} == {3}
    assert {event["phase"] for event in costs if not event["steps"]} == {"scoring", ""}


def test_what_is_scored_is_the_common_model() -> None:
    (scored,) = [event for event in whole().records if event["kind"] == "evaluated"]
    learner = cast(experiment(), None)[1]
    learner.load(whole().outcomes[1].parameters)
    assert scored["model"] == "global"
    assert scored["accuracy"] == pytest.approx(learner.evaluate().accuracy, abs=1.01 / 60)


def test_where_each_has_a_test_set_of_its_own_all_of_them_count(tmp_path: Path) -> None:
    """Of different sizes, and shared like what is trained on: nobody else has them."""
    rng = np.random.default_rng(1)
    sizes = {1: 30, 2: 700, 3: 11}
    for worker, size in sizes.items():
        np.savez(
            tmp_path / f"own-{worker}.npz",
            x_train=rng.random((40, 6)).astype(np.float32),
            y_train=np.arange(40) % 3,
            x_test=rng.random((size, 6)).astype(np.float32),
            y_test=rng.integers(0, 3, size),
        )
    learning = {"dataset": str(tmp_path / "own-{worker}.npz"), "model": "mlp", "batch": 16, "local_steps": 2}
    found = parse({**TABLES, "learning": learning})
    # The simulation's learners read all files; real parties read their own alone.
    learners = {worker: owned(found, worker) for worker in sizes}
    simulation = simulate(found.system, learners.__getitem__, workers=3, epochs=1, seed=found.seed)
    weights(simulation)
    (scored,) = [event for event in simulation.records if event["kind"] == "evaluated"]
    right = 0.0
    for worker, learner in learners.items():
        learner.load(simulation.outcomes[1].parameters)
        right += learner.evaluate().accuracy * sizes[worker]
    assert scored["accuracy"] == pytest.approx(right / sum(sizes.values()), abs=3.01 / sum(sizes.values()))


def owned(found: Experiment, worker: PartyId) -> LocalLearner:
    """Make a worker's learner of its own file."""
    dataset = load(found.learning, None, workers=[worker])
    return build_learner(found.learning, dataset, party=worker, workers=3, epochs=1, seed=found.seed)


def test_the_model_is_on_disk_at_the_end_and_shares_before() -> None:
    for journal in whole().journals.values():
        last, before = journal.read("model", 2), journal.read("model", 1)
        assert last is not None
        assert before is not None
        assert "parameters" not in before
        assert fingerprint(last["parameters"]) == weights(whole())
        # A share alone is as good as random.
        words = np.concatenate([before["1.weight.0"].ravel(), before["1.weight.1"].ravel()])
        assert stats.chisquare(np.bincount((words >> 60 & 15).astype(np.int64), minlength=16)).pvalue > 1e-6


@pytest.mark.parametrize("rounding", ["nearest", "probabilistic"])
def test_a_resumed_run_goes_on_from_the_shares(rounding: str) -> None:
    found = experiment({"rounding": rounding})
    first = run(found, epochs=1)
    rest = run(found, epochs=2, resume=1, journals=first.journals)
    if rounding == "nearest":
        assert weights(rest) == weights(whole())
    else:
        np.testing.assert_allclose(rest.outcomes[2].parameters, whole().outcomes[2].parameters, atol=1e-3)


def test_a_run_that_was_broken_off_after_its_last_epoch_is_scored_and_opened() -> None:
    rest = run(experiment(), epochs=2, resume=2, journals=whole().journals)
    assert weights(rest) == weights(whole())
    (scored,) = [event for event in rest.records if event["kind"] == "evaluated"]
    assert scored["epoch"] == 2
    assert (
        scored["accuracy"]
        == [event for event in whole().records if event["kind"] == "evaluated"][-1]["accuracy"]
    )
    assert not [event for event in rest.records if event["kind"] == "trained"]


def test_where_there_is_no_checkpoint_it_says_so() -> None:
    ended = run(experiment(), epochs=2, resume=1)
    assert {str(error) for error in ended.errors.values()} == {"there is no checkpoint of epoch 1"}


@pytest.mark.parametrize("optimiser", [pytest.param("adam", marks=pytest.mark.exhaustive), "amsgrad"])
def test_moments_are_resumed_too(optimiser: str) -> None:
    found = experiment(optimiser=optimiser, learning_rate=0.01, momentum=None)
    first = run(found, epochs=1)
    rest = run(found, epochs=2, resume=1, journals=first.journals)
    assert weights(rest) == weights(run(found))
    assert weights(rest) != weights(whole())


class Normalising(torch.nn.Sequential):
    """With running statistics."""

    def __init__(self) -> None:
        super().__init__(
            *(torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU()),
            torch.nn.Linear(16, 10),
        )


def test_running_statistics_are_resumed_and_opened_at_the_end() -> None:
    found = experiment(model=f"{__name__}:Normalising")

    def trained(**options: Any) -> tuple[Simulation, Mapping[PartyId, LocalLearner]]:
        learners = cast(found, None)
        epochs = options.pop("epochs")
        simulation = simulate(
            found.system, learners.__getitem__, workers=3, epochs=epochs, seed=found.seed, **options
        )
        return simulation, learners

    first, _ = trained(epochs=1)
    rest, learners = trained(epochs=2, resume=1, journals=first.journals)
    once, others = trained(epochs=2)
    assert weights(rest) == weights(once)
    for name, buffer in learners[1].network.named_buffers():
        for learner in (learners[3], others[2]):
            assert torch.equal(learner.network.get_buffer(name), buffer)
    assert float(learners[1].network.get_buffer("2.running_mean").abs().max()) > 0.01


def test_moments_of_another_optimiser_are_refused() -> None:
    first = run(experiment(), epochs=1)
    other = run(experiment(optimiser="amsgrad"), epochs=2, resume=1, journals=first.journals)
    assert all("not the same experiment" in str(error) for error in other.errors.values())
    assert len(other.errors) == 3


def test_shares_of_another_network_are_refused() -> None:
    first = run(experiment(), epochs=1)
    other = run(experiment(model="mlp"), epochs=2, resume=1, journals=first.journals)
    assert all("not of this network" in str(error) for error in other.errors.values())
    assert len(other.errors) == 3


@pytest.mark.parametrize("bits", [None, 16])
def test_shares_that_another_version_has_written_are_refused(bits: int | None) -> None:
    """Parameters of 16 fraction bits are not taken for those of 24, nor where a record does not say."""
    first = run(experiment(), epochs=1)
    for journal in first.journals.values():
        record = dict(journal.read("model", 1) or {})
        del record["parameter bits"]
        journal.write("model", 1, record if bits is None else {**record, "parameter bits": np.array(bits)})
    other = run(experiment(), epochs=2, resume=1, journals=first.journals)
    assert all("another version" in str(error) for error in other.errors.values())
    assert len(other.errors) == 3


@pytest.mark.parametrize("leaves", [0.0, 0.01, 0.15, 0.6, 2.0])
def test_without_one_the_others_end_by_name(leaves: float) -> None:
    found = run(experiment(), leave={2: leaves}, network=Network(latency_seconds=0.05))
    for party in (1, 3):
        error = found.errors[party]
        assert isinstance(error, PeerLeft)
        assert 2 in error.culprits or error.culprits == (4 - party,)


def test_one_that_has_left_before_the_others_look_who_is_there_is_missed() -> None:
    """Two do not compute what needs three."""
    journals, costs = run(experiment(), epochs=1).journals, from_table({"record": 1.0})
    found = run(experiment(), resume=1, journals=journals, charge=costs, leave={2: 0.5})
    for party in (1, 3):
        error = found.errors[party]
        assert isinstance(error, PeerLeft)
        assert error.culprits == (2,)


def test_one_that_is_silent_is_named() -> None:
    found = run(experiment(local_steps=1), delays={1: (), 2: (60.0,), 3: ()}.__getitem__)
    assert isinstance(found.errors[1], PeerTimeout)


def test_what_is_sent_looks_like_random_numbers() -> None:
    data = b"".join(sent.message.data for sent in whole().transcript if isinstance(sent.message, Sealed))
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-6


def test_sizes_and_order_are_the_same_for_other_data() -> None:
    def schedule(found: Simulation) -> dict[tuple[PartyId, PartyId], list[int]]:
        sizes: dict[tuple[PartyId, PartyId], list[int]] = {}
        for sent in found.transcript:
            if isinstance(sent.message, Sealed):
                sizes.setdefault((sent.sender, sent.receiver), []).append(len(sent.message.data))
        return sizes

    other = parse({**TABLES, "seed": 9})
    assert schedule(run(other)) == schedule(whole())


def test_a_party_that_changes_a_message_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed, sent = Seal.seal, iter(range(10**6))

    def tampered(self: Seal, text: bytes, room: memoryview) -> None:
        sealed(self, text, room)
        if next(sent) == 100:
            room[0] ^= 1

    monkeypatch.setattr(Seal, "seal", tampered)
    found = run(experiment())
    kinds = [type(error) for error in found.errors.values()]
    assert sorted(each.__name__ for each in kinds) == ["InvalidShare", "PeerLeft", "PeerLeft"]


# ------------------------------------------------------------------------------------------------
# what cannot be


def test_layers_that_are_not_computed_in_secret_are_refused_by_name() -> None:
    class Tanh(LocalLearner):
        @property
        def network(self) -> torch.nn.Module:
            return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Tanh(), torch.nn.Linear(64, 10))

    found = experiment()
    learners = cast(found, None)
    for learner in learners.values():
        learner.__class__ = Tanh
    simulation = simulate(found.system, learners.__getitem__, workers=3, epochs=1)
    assert all(isinstance(error, ConfigError) for error in simulation.errors.values())
    assert "its layer 1 is a Tanh" in str(simulation.errors[1])


@pytest.mark.parametrize(
    "counts", [{"examples": -(10**6)}, {"examples": 1 << 60}, {"tested": -30}, {"tested": 1 << 60}]
)
def test_announcements_that_cannot_be_do_not_arrive(counts: Mapping[str, int]) -> None:
    codec = Codec([Announcement])
    said = Announcement(b"", examples=1, tested=0, start=b"")
    assert codec.decode(codec.encode(said)) == said
    with pytest.raises(MalformedMessage):
        codec.decode(codec.encode(msgspec.structs.replace(said, **counts)))


def announcing(monkeypatch: pytest.MonkeyPatch, workers: Collection[PartyId], **counts: int) -> Simulation:
    """Let some workers announce other counts than they have; the dealer is honest."""
    before = SimulatedParty.send

    async def send(self: SimulatedParty, to: PartyId, message: Message) -> None:
        if isinstance(message, Announcement) and self.id in workers:
            message = msgspec.structs.replace(message, **counts)
        await before(self, to, message)

    monkeypatch.setattr(SimulatedParty, "send", send)
    return ends("dealer", 3)


def test_a_worker_that_announces_no_examples_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = announcing(monkeypatch, {2}, examples=0)
    assert not found.outcomes.keys() - {2}
    for party in (0, 1, 3):
        assert str(found.errors[party]) == "announced no examples to train on (worker 2)"


def test_where_nobody_announces_what_to_test_with_no_accuracy_is_made_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = announcing(monkeypatch, {1, 2, 3}, tested=0)
    assert not found.outcomes
    assert str(found.errors[0]) == "nobody has announced an example to test with, or to ask about"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"workers": 4},
            'workers: 4, but under system.security = "rep3" there are 3, .*; for 4 there is rep4, d',
        ),
        ({"workers": 11}, "2 to 10 can train in secret at all"),
        ({"system": {"opening": 4}}, "system.opening: 4, but there are workers 1 to 3; or say all, or none"),
        ({"learning": {"batch": 48}}, "learning.batch: 48, .*power of two, 4 or more: .*; take 32 or 64"),
        ({"learning": {"batch": 3}}, "learning.batch: 3, .*power of two, 4 or more: .*; take 4"),
        ({"learning": {"batch": 2}}, "learning.batch: 2, .*power of two, 4 or more: .*; take 4"),
        ({"stop": {"patience": 2}}, "stop: without a manager nobody can end the run for all"),
        (
            {"workers": 4, "system": {"security": "rep3-malicious"}},
            'under system.security = "rep3-malicious" there are 3',
        ),
        ({"learning": {"privacy": {"type": "dp-sgd", "epsilon": 1.0, "delta": 1e-5}}}, "learning.privacy"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], said: str) -> None:
    tables = {
        **TABLES,
        **changes,
        "system": {**TABLES["system"], **changes.get("system", {})},
        "learning": {"model": "digits-mlp", "batch": 16, **changes.get("learning", {})},
    }
    with pytest.raises(ConfigError, match=said):
        parse(tables)


def test_what_a_run_will_do_is_said() -> None:
    said = " ".join(QuantisedMpc().explain(3, 118_282))
    assert "Any two together know everything" in said
    assert "semi-honest" in said
    assert "whoever reads those of all, which mdl run keeps in one folder, has it" in said
