"""SMuLe as a system: each learns from the other's answers, or goes on alone."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from mdl.config import Experiment, parse
from mdl.errors import ConfigError, InvalidShare, MalformedMessage, MdlError, ProtocolError
from mdl.mpc.blind.plan import Dense, Flatten, Plan, Quadratic
from mdl.mpc.messages import Sealed
from mdl.party import Envelope, PartyId
from mdl.rehearsal import cast
from mdl.simulator import Network, Simulation, simulate
from mdl.simulator.party import SimulatedParty
from mdl.system import Opinions
from mdl.systems import Mutual
from mdl.systems.mutual.messages import Announcement, Ready
from mdl.systems.mutual.opinions import Known, Turns, due
from mdl.systems.mutual.owner import Owner
from mdl.transport.codec import Codec
from mdl.vectors import fingerprint

TABLES: Mapping[str, Any] = {
    "name": "smule",
    "workers": 2,
    "epochs": 3,
    "evaluate_every": 1,
    "system": {"type": "mutual", "refresh": 0.25, "least_accuracy": 0.0, "timeout_seconds": 20.0},
    "learning": {
        "model": "digits-quadratic",
        "split": "disjoint",
        "train_limit": 120,
        "test_limit": 60,
        "optimiser": "momentum",
        "learning_rate": 0.1,
        "batch": 16,
    },
}


def experiment(system: Mapping[str, Any] | None = None, **learning: Any) -> Experiment:
    tables = {**TABLES, "learning": {**TABLES["learning"], **learning}}
    return parse({**tables, "system": {**TABLES["system"], **(system or {})}})


def run(found: Experiment, *, epochs: int = 3, **options: Any) -> Simulation:
    learners = cast(found, None)
    return simulate(found.system, learners.__getitem__, workers=2, epochs=epochs, seed=found.seed, **options)


@cache
def whole() -> Simulation:
    return run(experiment())


def events(simulation: Simulation, kind: str, party: PartyId | None = None) -> list[Mapping[str, Any]]:
    return [e for e in simulation.records if e["kind"] == kind and party in (None, e["party"])]


def test_opinions_are_those_of_the_other_network_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is told of an example is what the other one's network said of it at the epoch's beginning."""
    found, taken = experiment({"agreement": False}), []
    learners = cast(found, None)
    before = Known.take

    def take(known: Known, numbers: Any, answers: Any) -> None:
        taken.append((numbers, answers))
        before(known, numbers, answers)

    monkeypatch.setattr(Known, "take", take)
    simulation = run(found, epochs=2)
    assert not simulation.errors
    assert len(taken) == 2
    for asker, (numbers, answers) in zip((1, 2), taken, strict=True):
        kept = simulation.journals[3 - asker].read("model", 1)
        assert kept is not None
        learners[3 - asker].load(kept["parameters"])
        images, _ = learners[asker].numbered(numbers)
        with torch.inference_mode():
            expected = learners[3 - asker].network.eval()(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(answers, expected, atol=0.01)


def test_without_weight_each_trains_as_if_it_were_alone() -> None:
    found = experiment({"weight": 0.0})
    learners = cast(found, None)
    simulation = run(found)
    for worker in (1, 2):
        for epoch in (1, 2, 3):
            learners[worker].train(epoch)
        alone = fingerprint(learners[worker].parameters())
        assert fingerprint(simulation.outcomes[worker].parameters) == alone
        assert fingerprint(whole().outcomes[worker].parameters) != alone


def test_a_quarter_is_asked_about_in_every_epoch_but_the_first() -> None:
    for worker in (1, 2):
        told = [event.get("opinions", 0) for event in events(whole(), "trained", worker)]
        assert told == [0, 15, 30]
        learnt = [event.get("learnt_from", 0) for event in events(whole(), "trained", worker)]
        assert all(0 <= one <= other for one, other in zip(learnt, told, strict=True))
        assert learnt[2] < told[2], "not every opinion agrees with the label after two epochs"


def test_every_epoch_but_the_first_says_what_was_asked_and_how_many_opinions_must_be_right() -> None:
    found = run(experiment({"least_accuracy": None}))
    [first, *later] = events(found, "trained", 1)
    assert "opinions" not in first
    assert [(event["asked"], event["answered"]) for event in later] == [(15, 15), (30, 30)]
    assert [event["opinions_needed"] for event in later] == pytest.approx([0.28, 0.28])


def test_an_epoch_without_any_opinion_says_so() -> None:
    [_, second] = events(run(experiment({"answers_limit": 0}), epochs=2), "trained", 1)
    assert (second["opinions"], second["opinions_right"], second["learnt_from"]) == (0, None, 0)


def test_no_more_is_asked_than_the_other_one_answers() -> None:
    found = run(experiment({"answers_limit": 20}))
    assert [event.get("opinions", 0) for event in events(found, "trained", 1)] == [0, 15, 20]
    more = run(experiment({"answers_limit": 20}), epochs=5, resume=3, journals=found.journals)
    assert [event["opinions"] for event in events(more, "trained", 1)] == [20, 20]


def test_answers_given_in_an_epoch_that_is_repeated_count_twice() -> None:
    limited = experiment({"answers_limit": 40})
    first = run(limited)
    rest = run(limited, epochs=4, resume=1, journals=first.journals)
    kept = rest.journals[1].read("answered", 0)
    assert kept is not None
    assert int(kept["count"]) == 40
    told = [event.get("opinions", 0) for event in events(rest, "trained", 1)]
    assert told == [10, 10, 10], "of 40, 30 had been given"


@pytest.mark.parametrize("answers", ["rounded", "labels"])
def test_answers_may_tell_less(answers: str) -> None:
    found = run(experiment({"answers": answers}), epochs=2)
    assert not found.errors
    kept = found.journals[1].read("opinions", 2)
    assert kept is not None
    scores = kept["scores"][kept["known"]]
    np.testing.assert_array_equal(scores, np.round(scores * 4) / 4)
    if answers == "labels":
        assert set(np.sort(scores, axis=1)[:, :-1].ravel()) == {0.0}


def test_labels_are_learnt_as_labels_which_no_temperature_softens() -> None:
    cold, warm = (run(experiment({"answers": "labels", "temperature": each})) for each in (1.0, 4.0))
    for worker in (1, 2):
        learnt = [event.get("learnt_from", 0) for event in events(cold, "trained", worker)]
        assert learnt[-1] > 0
        parameters = [fingerprint(found.outcomes[worker].parameters) for found in (cold, warm, whole())]
        assert parameters[0] == parameters[1]
        assert parameters[0] != parameters[2]


def test_labels_pass_the_gate_where_they_are_right_and_nowhere_else() -> None:
    best = np.array([0, 1, 2, 1])
    known = Known(np.eye(3, dtype=np.float32)[best], np.array([True, True, True, False]))
    labels = np.array([0, 2, 2, 1])
    np.testing.assert_array_equal(known.agreeing(labels), known.right(labels))


def test_it_says_what_labels_can_teach() -> None:
    gated, bare = (
        " ".join(Mutual(answers="labels", agreement=each).explain(2, 10)) for each in (True, False)
    )
    assert "which images the other one has right, which count 2 times, and nothing of other classes" in gated
    assert "as from a second label (weight 1), also where it is wrong" in bare
    assert "temperature" not in gated + bare


def test_noise_is_on_answers() -> None:
    found, still = (run(experiment({"noise": noise}), epochs=2) for noise in (50.0, 0.0))
    spread = [float(np.std(each.journals[1].read("opinions", 2)["scores"])) for each in (found, still)]  # type: ignore[index]
    assert spread[0] > 10 * spread[1]


def test_opinions_of_a_peer_that_is_mostly_wrong_are_left_out() -> None:
    found = run(experiment({"least_accuracy": 0.99, "agreement": False}))
    assert [event.get("learnt_from", 0) for event in events(found, "trained", 1)] == [0, 0, 0]


def test_by_default_a_peer_must_be_clearly_better_than_a_guess() -> None:
    system = Mutual()
    assert [round(system.least_right(classes), 3) for classes in (2, 10, 100)] == [0.6, 0.28, 0.208]
    assert Mutual(least_accuracy=0.5).least_right(10) == 0.5
    found = run(experiment({"least_accuracy": None}), epochs=2)
    assert events(found, "trained", 1)[-1]["learnt_from"] == 0, "after one epoch it is not"


# ------------------------------------------------------------------------------------------ losses, resuming


def test_a_resumed_run_goes_on_with_the_opinions_that_were_kept() -> None:
    first = run(experiment(), epochs=2)
    rest = run(experiment(), resume=2, journals=first.journals)
    assert not rest.errors
    (event,) = events(rest, "trained", 2)
    assert event["opinions"] == 30
    kept = [each.journals[1].read("opinions", epoch) for each, epoch in ((first, 2), (rest, 3))]
    assert kept[0] is not None
    assert kept[1] is not None
    fresh = (kept[0]["scores"] != kept[1]["scores"]).any(1)
    assert int(fresh.sum()) == 15


def test_a_run_that_was_broken_off_after_its_last_epoch_comes_to_its_end() -> None:
    first = run(experiment(), epochs=2)
    rest = run(experiment(), epochs=2, resume=2, journals=first.journals)
    assert not rest.errors
    assert {event["party"] for event in events(rest, "evaluated")} == {1, 2}
    assert not events(rest, "trained")


def test_a_checkpoint_of_other_examples_is_refused() -> None:
    first = run(experiment(), epochs=2)
    other = run(experiment(train_limit=100), resume=2, journals=first.journals)
    assert "not the same experiment" in str(other.errors[1])


@pytest.mark.parametrize("seconds", [0.05, 0.45, 0.75, 1.15])
@pytest.mark.parametrize("lost", [1, 2])
def test_who_is_left_goes_on_alone(lost: PartyId, seconds: float) -> None:
    found = run(
        experiment(),
        leave={lost: seconds},
        network=Network(latency_seconds=0.05),
        delays=lambda _party: [0.3],
    )
    assert not found.errors
    assert set(found.outcomes) == {0, 3 - lost}
    assert found.outcomes[3 - lost].epochs == 3
    assert found.outcomes[3 - lost].parameters.any()


@pytest.mark.parametrize("seconds", [0.02, 0.3, 0.75])
def test_without_the_dealer_both_go_on_alone(seconds: float) -> None:
    found = run(
        experiment(), leave={0: seconds}, network=Network(latency_seconds=0.05), delays=lambda _party: [0.3]
    )
    assert not found.errors
    assert set(found.outcomes) == {1, 2}


def test_who_was_lost_does_not_come_back() -> None:
    found = experiment()
    task: Any = type("Task", (), {"rejoin": True})
    owner = Owner.__new__(Owner)
    owner._task, owner._learner = task, cast(found, None)[1]
    with pytest.raises(MdlError, match="goes on without"):
        owner.run().send(None)


# ------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("workers", "system", "what"),
    [
        (3, {}, "workers: 3"),
        (2, {"answers": "labels", "randomness": "encryption"}, "system.answers"),
        (2, {"refresh": 0}, "refresh"),
    ],
)
def test_what_is_impossible_is_refused(workers: int, system: Mapping[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        parse({**TABLES, "workers": workers, "system": {**TABLES["system"], **system}})


def test_a_network_that_cannot_be_asked_is_refused() -> None:
    refused = unchecked(experiment(), model=f"{__name__}:Bent")
    assert isinstance(refused, ConfigError)
    assert "Tanh" in str(refused)


def unchecked(found: Experiment, model: str) -> BaseException:
    """Give the error of a worker that begins with a network that nobody has looked at."""
    learning = {**TABLES["learning"], "model": model}
    learners = cast(parse({**TABLES, "system": {"type": "standalone"}, "learning": learning}), None)
    simulation = simulate(found.system, lambda party: learners[party or 1], workers=2, epochs=1)
    return simulation.errors[1]


class Bent(torch.nn.Sequential):
    """With a layer that is not computed in secret."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.Tanh(), torch.nn.Linear(8, 10))


def test_a_network_that_compares_needs_a_dealer() -> None:
    refused = unchecked(experiment({"randomness": "encryption"}), model="digits-mlp")
    assert isinstance(refused, ConfigError)
    assert "ReLU" in str(refused)
    assert not run(experiment(model="digits-mlp"), epochs=2).errors


@pytest.mark.parametrize(
    "plan",
    [
        (),
        (Flatten(), Dense(65, 10)),
        (Flatten(), Dense(64, 1 << 25), Quadratic(3, 4), Dense(1 << 25, 10)),
    ],
)
def test_what_is_announced_must_be_a_network_for_these_examples(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def announced(signed: bytes, examples: int, shape: Any, own: Plan, answered: int) -> Announcement:
        return Announcement(signed, examples, shape, plan, answered)

    monkeypatch.setattr("mdl.systems.mutual.owner.Announcement", announced)
    found = run(experiment(), epochs=1)
    for party in (0, 1, 2):
        assert isinstance(found.errors[party], ProtocolError)


def test_who_has_heard_another_announcement_cannot_open_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Announcements are read by whoever is between; what is changed there ends the run."""
    before = SimulatedParty.receive

    async def receive(self: Any, *kinds: Any, sender: PartyId | None = None) -> Any:
        found = await before(self, *kinds, sender=sender)
        if self.id == 1 and isinstance(found.message, Announcement) and found.sender == 2:
            return Envelope(2, msgspec.structs.replace(found.message, examples=59))
        return found

    monkeypatch.setattr(SimulatedParty, "receive", receive)
    found = run(experiment(), epochs=2)
    assert any(isinstance(error, InvalidShare) for error in found.errors.values())
    assert set(found.errors) == {0, 1, 2} - set(found.outcomes)


@pytest.mark.parametrize("counts", [{"examples": -50}, {"answered": 1 << 63}, {"plan": (Flatten(),) * 300}])
def test_announcements_that_cannot_be_do_not_arrive(counts: Mapping[str, Any]) -> None:
    codec = Codec([Announcement])
    data = codec.encode(msgspec.structs.replace(Announcement(b""), **counts))
    with pytest.raises(MalformedMessage):
        codec.decode(data)


def test_more_than_a_machine_holds_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mdl.systems.mutual.teaching.MOST_AT_ONCE", 100)
    found = run(experiment(), epochs=2)
    assert all("lower system.refresh" in str(found.errors[party]) for party in (0, 1, 2))


def test_both_must_tell_the_same_classes_apart() -> None:
    learners = cast(experiment(), None)
    learners[2]._model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 11))
    found = simulate(experiment().system, learners.__getitem__, workers=2, epochs=1)
    for party in (0, 1, 2):
        assert "number of classes" in str(found.errors[party])


# ------------------------------------------------------------------------------------------ what is seen


def test_what_is_sent_is_sealed_and_nothing_else() -> None:
    kinds = {type(sent.message) for sent in whole().transcript}
    assert kinds == {Announcement, Sealed, Ready}
    announced = [sent.message for sent in whole().transcript if isinstance(sent.message, Announcement)]
    assert {(said.examples, said.answered) for said in announced} == {(0, 0), (60, 0)}


def test_sizes_and_order_are_the_same_for_other_data() -> None:
    def schedule(seed: int) -> list[Any]:
        found = parse({**TABLES, "seed": seed})
        sent = run(found, epochs=2).transcript
        return [
            (one.sender, one.receiver, len(one.message.data))
            for one in sent
            if isinstance(one.message, Sealed)
        ]

    assert schedule(1) == schedule(2)


# ------------------------------------------------------------------------------------------ turns


def test_all_have_had_their_turn_before_one_has_it_again() -> None:
    turns = Turns(10, 1)
    asked = np.concatenate([turns.next(3 * epoch, 3) for epoch in range(10)])
    assert sorted(asked[:10]) == list(range(10))
    np.testing.assert_array_equal(asked[:10], asked[10:20])


@pytest.mark.parametrize(
    ("epoch", "examples", "refresh", "answered", "limit", "expected"),
    [
        (1, 100, 0.1, 0, None, 0),
        (2, 100, 0.1, 0, None, 10),
        (2, 101, 0.1, 0, None, 11),
        (2, 3, 1.0, 0, None, 3),
        (2, 30, 0.1, 0, None, 3),
        (2, 100, 0.1, 95, 100, 5),
        (2, 100, 0.1, 200, 100, 0),
        (2, 100, 0.1, 0, 0, 0),
    ],
)
def test_how_many_are_due(
    epoch: int, examples: int, refresh: float, answered: int, limit: int | None, expected: int
) -> None:
    assert due(epoch, examples, refresh=refresh, answered=answered, limit=limit) == expected


def test_answers_that_are_no_numbers_are_none() -> None:
    known = Known.restored(None, 4, 2)
    known.take(np.array([1, 2]), np.array([[0.0, np.nan], [1.0, 2.0]], np.float32))
    assert list(known.known) == [False, False, True, False]
    assert list(known.right(np.array([0, 0, 1, 1]))) == [False, False, True, False]
    assert np.isfinite(known.scores).all()


def test_a_system_without_opinions_is_no_teacher() -> None:
    """The yardstick of the tests above: with nothing known, `learn` does what `train` does."""
    one, other = (cast(experiment(), None)[1] for _ in range(2))
    none = Opinions(np.zeros((60, 10), np.float32), np.zeros(60, np.bool_), 1.0, 1.0)
    assert fingerprint(one.train(1).parameters) == fingerprint(other.learn(1, none).parameters)


def test_it_says_what_an_assumption_is() -> None:
    said = " ".join(Mutual().explain(2, 10))
    assert "assumption" in said
    assert "assumption" not in " ".join(Mutual(randomness="encryption").explain(2, 10))
    assert "with the dealer" in Mutual().traits(2).learns
