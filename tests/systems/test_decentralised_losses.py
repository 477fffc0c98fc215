"""D-MHE with a threshold: neighbourhoods go on without those they lose, and sums stay right to the bit."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, combinations
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import PrivateAttr
from scipy import stats

from mdl.config import parse
from mdl.errors import ConfigError, InvalidShare, PeerLeft, PeerTimeout, ProtocolError, TooFewWorkers
from mdl.party import Message, Party, PartyId, broadcast
from mdl.simulator import Network, Simulation, simulate
from mdl.system import Learner, Outcome, Task
from mdl.systems.decentralised import Decentralised
from mdl.systems.decentralised import messages as say
from mdl.systems.decentralised.topology import (
    AnyGraph,
    CompleteSettings,
    EdgesSettings,
    GroupSettings,
    RingSettings,
)
from mdl.vectors import Floats
from tests.systems.comings import Trainings, Watched, seconds_each
from tests.tiny import tiny

Mode = Literal["bfv", "plain"]

EPOCHS = 4
SET_UP_SECONDS = 1.0
"""When all keys are made: seven messages one after the other, with the latency below."""
NETWORK = Network(latency_seconds=0.05, jitter_seconds=0.05)

LATTICE = EdgesSettings(
    type="edges", edges=[[node, (node + step - 1) % 7 + 1] for node in range(1, 8) for step in (1, 2)]
)
"""Each talks with two on either side: neighbourhoods of five."""

TABLES: dict[str, Any] = {"name": "g", "workers": 6, "epochs": 1, "learning": {"model": "digits-mlp"}}

modes: st.SearchStrategy[Mode] = st.sampled_from(["bfv", "plain"])


@dataclass
class Played:
    """A run with losses, and what its nodes trained."""

    system: Decentralised
    workers: int
    found: Simulation
    trainings: Trainings = field(repr=False)

    def included(self, node: PartyId, epoch: int) -> list[set[PartyId]]:
        """Those of whom a node's parameters after an epoch can be the sum."""
        after = self.after(node, epoch)
        neighbours = self.system.neighbourhoods(self.workers)[self.sums_for(node)].neighbours
        there = [other for other in neighbours if (other, epoch) in self.trainings]
        return [set(some) for some in subsets(there) if np.array_equal(self.summed(node, epoch, some), after)]

    def sums_for(self, node: PartyId) -> PartyId:
        return 1 if isinstance(self.system.graph, GroupSettings) else node

    def after(self, node: PartyId, epoch: int) -> Floats:
        if epoch == EPOCHS:
            return self.found.outcomes[node].parameters
        return self.trainings[node, epoch + 1][0]

    def summed(self, node: PartyId, epoch: int, others: Collection[PartyId]) -> Floats:
        """In integers: the node's weight takes the place of those that are missing."""
        centre, encoding = self.sums_for(node), self.system.encoding
        group = isinstance(self.system.graph, GroupSettings)
        row = dict.fromkeys(others, 1) if group else self.system.topology(self.workers).weights(8)[centre]
        weights = {other: row[other] for other in others}
        weights[centre] = 1 if group else 256 - sum(weights.values())
        total = np.zeros(7, np.int64)
        for other, weight in weights.items():
            total += weight * encoding.encode(self.trainings[other, epoch][1])[0]
        return (total / (sum(weights.values()) << 16)).astype(np.float32)


def subsets(of: Collection[PartyId]) -> Iterator[tuple[PartyId, ...]]:
    return chain.from_iterable(combinations(of, count) for count in range(len(of) + 1))


def play(
    graph: AnyGraph,
    leave: Mapping[PartyId, float] | None = None,
    *,
    threshold: int = 3,
    workers: int = 5,
    mode: Mode = "bfv",
    insecure: bool = False,
    **more: Any,
) -> Played:
    system = Decentralised(
        graph=graph, mode=mode, threshold=threshold, timeout_seconds=20.0, insecure=insecure
    )
    trainings: Trainings = {}
    found = simulate(
        system,
        partial(Watched, trainings=trainings),
        **{
            "workers": workers,
            "epochs": EPOCHS,
            "leave": leave,
            "network": NETWORK,
            "delays": seconds_each,
            **more,
        },
    )
    return Played(system, workers, found, trainings)


def assert_right(played: Played) -> None:
    """Who stays comes to the end, each epoch with the sum of all who stay and perhaps some who left."""
    assert not played.found.errors
    stayed = set(played.found.outcomes)
    assert len(stayed) >= (played.system.threshold or played.workers)
    for node in stayed:
        centre = played.sums_for(node)
        neighbours = set(played.system.neighbourhoods(played.workers)[centre].neighbours)
        for epoch in range(1, EPOCHS + 1):
            [included] = played.included(node, epoch)
            assert included >= neighbours & stayed


def losses(whom: st.SearchStrategy[PartyId], most: int) -> st.SearchStrategy[dict[PartyId, float]]:
    moments = st.floats(SET_UP_SECONDS, SET_UP_SECONDS + EPOCHS * 1.5)
    return st.dictionaries(whom, moments, max_size=most)


@settings(deadline=None, max_examples=12)
@given(leave=losses(st.integers(1, 5), 2), schedule=st.integers(0, 2**32), mode=modes)
def test_in_a_complete_graph_any_two_of_five_may_be_lost(
    leave: dict[PartyId, float], schedule: int, mode: Mode
) -> None:
    assert_right(play(CompleteSettings(), leave, schedule=schedule, mode=mode))


@settings(deadline=None, max_examples=12)
@given(leave=losses(st.integers(2, 5), 2), schedule=st.integers(0, 2**32), mode=modes)
def test_in_a_group_any_two_but_the_first_may_be_lost(
    leave: dict[PartyId, float], schedule: int, mode: Mode
) -> None:
    assert_right(play(GroupSettings(), leave, schedule=schedule, mode=mode))


@settings(deadline=None, max_examples=6)
@given(leave=losses(st.integers(1, 7), 1), schedule=st.integers(0, 2**32))
def test_on_a_sparse_graph_whose_neighbourhoods_overlap_one_may_be_lost(
    leave: dict[PartyId, float], schedule: int
) -> None:
    assert_right(play(LATTICE, leave, threshold=4, workers=7, schedule=schedule))


@pytest.mark.parametrize("graph", [CompleteSettings(), GroupSettings()])
def test_two_may_be_lost_between_any_two_messages(graph: AnyGraph) -> None:
    still = Network(latency_seconds=0.05)
    whole = play(graph, network=still)
    last_two = SET_UP_SECONDS + (EPOCHS - 2) * 1.2
    moments = {round(sent.seconds, 3) for sent in whole.found.transcript if sent.seconds > last_two}
    assert len(moments) >= 3 * 2
    for moment in sorted(moments):
        for leave in ({3: moment + 0.001}, {2: moment - 0.001, 4: moment + 0.026}):
            assert_right(play(graph, leave, network=still))


@pytest.mark.parametrize("mode", ["bfv", "plain"])
def test_one_more_ends_the_run_and_all_are_named(mode: Mode) -> None:
    played = play(CompleteSettings(), {1: 2.0, 3: 2.5, 4: 3.5}, mode=mode)
    assert set(played.found.errors) == {2, 5}
    for node, error in played.found.errors.items():
        assert isinstance(error, TooFewWorkers)
        assert {1, 3, 4} <= set(error.culprits)
        assert f"worker {node} cannot go on: of the 5 in its neighbourhood 2 remain" in str(error)


@pytest.mark.parametrize("graph", [CompleteSettings(), GroupSettings()])
def test_whoever_is_lost_when_all_is_done_does_no_harm(graph: AnyGraph) -> None:
    network = Network(latency_seconds=0.05)
    whole = play(graph, network=network).found
    done = max(sent.seconds for sent in whole.transcript if isinstance(sent.message, say.Done))
    found = play(graph, {1: done + 0.001, 2: done + 0.002, 3: done + 0.003}, network=network).found
    assert not found.errors
    assert {4, 5} <= set(found.outcomes)
    assert 1 not in found.outcomes


def test_without_the_one_who_collects_a_group_ends_by_name() -> None:
    errors = play(GroupSettings(), {1: 2.5}).found.errors
    assert set(errors) == {2, 3, 4, 5}
    for error in errors.values():
        assert isinstance(error, PeerLeft)
        assert list(error.culprits) == [1]


def test_while_keys_are_made_nobody_may_be_lost() -> None:
    errors = play(CompleteSettings(), {2: 0.2}).found.errors
    assert set(errors) == {1, 3, 4, 5}
    assert all(isinstance(error, PeerLeft) for error in errors.values())
    assert any(2 in error.culprits for error in errors.values() if isinstance(error, PeerLeft))


# ------------------------------------------------------------------------------------------ silence


@pytest.mark.parametrize("mode", ["bfv", "plain"])
def test_a_silent_node_is_given_up_and_nobody_else_for_having_waited(mode: Mode) -> None:
    def slow(party: PartyId) -> list[float]:
        return [1.0, 500.0 if party == 3 else 1.0, 1.0, 1.0]

    played = play(RingSettings(), threshold=2, insecure=True, workers=7, delays=slow, mode=mode)
    assert set(played.found.outcomes) == {1, 2, 4, 5, 6, 7}
    assert set(played.found.errors) == {3}
    assert [played.included(2, epoch) for epoch in (1, 2)] == [[{1, 3}], [{1}]]
    assert [played.included(6, epoch) for epoch in (1, 2, 3, 4)] == [[{5, 7}]] * 4


def test_patience_with_one_that_waits_has_an_end() -> None:
    class Sleepy(Decentralised):
        async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
            if party.id != 3:
                return await super().run(party, learner, task)
            while party.peers:
                await broadcast(party, party.peers, say.Waiting())
                await asyncio.sleep(5.0)
            raise PeerLeft("alone", [])

    system = Sleepy(timeout_seconds=10.0, mode="plain")
    found = simulate(system, tiny(), workers=4)
    assert isinstance(found.errors[2], PeerTimeout)
    assert 40.0 <= found.seconds <= 60.0


# ------------------------------------------------------------------------------------------ who asks for more


class Greedy(Decentralised):
    """Node 1 says that members are lost which are not."""

    asked: tuple[PartyId, ...]

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        async with asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(super().run(party, learner, task))
            if party.id == 1:
                await asyncio.sleep(1.5)
                for member in self.asked:
                    await party.send(2, say.Lost(member))
        return playing.result()


@pytest.mark.parametrize("asked", [(3, 4, 5), (2,), (1,), (3, 3), (9,)])
@pytest.mark.parametrize("graph", [CompleteSettings(), GroupSettings()])
def test_no_more_shares_are_handed_out_than_may_be(graph: AnyGraph, asked: tuple[PartyId, ...]) -> None:
    system = Greedy(graph=graph, threshold=3, timeout_seconds=20.0, asked=asked)
    found = simulate(system, tiny(), workers=5, epochs=3, delays=seconds_each, network=NETWORK)
    error = found.errors[2]
    assert type(error) is ProtocolError
    assert list(error.culprits) == [1]
    handed = [
        sent.message.member
        for sent in found.transcript
        if sent.sender == 2 and isinstance(sent.message, say.Recovering)
    ]
    assert len(set(handed)) == len(handed) == len(asked[:-1])
    assert not {1, 2} & set(handed)


class Through:
    """A party of whose messages some are sent as others, or not at all."""

    def __init__(self, party: Party, instead: Callable[[Message], Message | None]) -> None:
        self._party, self._instead = party, instead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._party, name)

    async def send(self, to: PartyId, message: Message) -> None:
        if (said := self._instead(message)) is not None:
            await self._party.send(to, said)


class Faulty(Decentralised):
    """A node says something else than it should."""

    instead: Callable[[Any], Message | None]
    faulty: PartyId = 2

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        through: Any = Through(party, self.instead)
        return await super().run(through if party.id == self.faulty else party, learner, task)


def deals_too_few(message: Message) -> Message:
    match message:
        case say.SharesDealt(sealed):
            return say.SharesDealt(sealed[1:])
    return message


def answers_for_another(message: Message) -> Message:
    match message:
        case say.Recovering(member, share):
            return say.Recovering(member + 1, share)
    return message


def answers_nonsense(message: Message) -> Message:
    match message:
        case say.Recovering(member, share):
            return say.Recovering(member, bytes(len(share)))
    return message


@pytest.mark.parametrize(
    ("instead", "leave", "said"),
    [
        (deals_too_few, {}, "no share of its secret for [1]"),
        (answers_for_another, {3: 2.0}, "a share of another secret than that of worker 3"),
        (answers_nonsense, {3: 2.0}, "shares that make no ternary secret"),
    ],
)
def test_wrong_shares_end_the_part_of_who_gets_them_by_name(
    instead: Callable[[Message], Message], leave: Mapping[PartyId, float], said: str
) -> None:
    system = Faulty(graph=GroupSettings(), threshold=3, timeout_seconds=20.0, instead=instead)
    more: dict[str, Any] = {"delays": seconds_each, "network": NETWORK, "leave": leave}
    error = simulate(system, tiny(), workers=4, epochs=3, **more).errors[1]
    assert isinstance(error, InvalidShare)
    assert 2 in error.culprits
    assert said in str(error)


@pytest.mark.parametrize("kind", [say.Announcement, say.SharesDealt, say.PublicShare])
@pytest.mark.parametrize("graph", [CompleteSettings(), GroupSettings()])
def test_who_keeps_back_what_keys_are_made_of_is_named_though_it_says_that_it_waits(
    graph: AnyGraph, kind: type[Message]
) -> None:
    def silent(message: Message) -> Message | None:
        return None if isinstance(message, kind) else message

    system = Faulty(graph=graph, threshold=3, timeout_seconds=20.0, instead=silent, faulty=3)
    found = simulate(system, tiny(), workers=5, network=NETWORK)
    assert found.seconds < 1.2 * 20.0
    assert not found.outcomes
    for node in {1} if isinstance(graph, GroupSettings) else {1, 2, 4, 5}:
        error = found.errors[node]
        assert isinstance(error, PeerTimeout)
        assert list(error.culprits) == [3]


@pytest.mark.parametrize("weight", [-1, 0, 6])
def test_a_total_of_no_model_or_of_more_than_there_are_is_refused(weight: int) -> None:
    def lying(message: Message) -> Message:
        match message:
            case say.Total(epoch, first, values):
                return say.Total(epoch, first, values[:-4] + weight.to_bytes(4, "little", signed=True))
        return message

    system = Faulty(graph=GroupSettings(), timeout_seconds=20.0, instead=lying, faulty=1)
    found = simulate(system, tiny(), workers=5, network=NETWORK)
    for node in (2, 3, 4, 5):
        error = found.errors[node]
        assert type(error) is ProtocolError
        assert str(error) == f"a sum of {weight} models in a group of 5 (worker 1)"


# ------------------------------------------------------------------------------------------ what is sent


def test_all_that_is_sent_but_asked_for_looks_like_random_numbers() -> None:
    found = play(GroupSettings(), {3: 3.0}).found
    shares: dict[type[Message], list[bytes]] = {}
    for sent in found.transcript:
        match sent.message:
            case say.SharesDealt(sealed) | say.SharesHeld(sealed):
                shares.setdefault(type(sent.message), []).extend(share for _, share in sealed)
            case say.Recovering(_, share):
                words = np.frombuffer(share, "<u4")
                assert (words < 2**31 - 1).all()
                shares.setdefault(say.Recovering, []).append((words << np.uint32(1)).tobytes())
    assert set(shares) == {say.SharesDealt, say.SharesHeld, say.Recovering}
    for kind, some in shares.items():
        counts = np.bincount(np.frombuffer(b"".join(some), "<u4") >> 26, minlength=64)
        assert stats.chisquare(counts).pvalue > 1e-4, kind


def test_a_sum_is_opened_once_though_a_member_is_lost_in_the_middle() -> None:
    whole = play(CompleteSettings(), {}, network=Network(latency_seconds=0.05)).found
    sums = [sent.seconds for sent in whole.transcript if isinstance(sent.message, say.Summed)]
    moment = min(second for second in sums if second > 2.5) + 0.01
    found = play(CompleteSettings(), {3: moment}, network=Network(latency_seconds=0.05)).found
    opened: dict[tuple[PartyId, int], set[bytes]] = {}
    for sent in found.transcript:
        if isinstance(sent.message, say.Summed):
            opened.setdefault((sent.sender, sent.message.epoch), set()).add(sent.message.values)
    assert all(len(sums) == 1 for sums in opened.values())
    assert {(node, 2) for node in range(1, 6)} <= opened.keys()
    lost = [sent.message for sent in found.transcript if isinstance(sent.message, say.Lost)]
    assert {message.member for message in lost} == {3}


# ------------------------------------------------------------------------------------------ broken links


class Cut(Decentralised):
    """A link breaks; or one of the two alone believes so."""

    link: tuple[PartyId, PartyId]
    noticed_by: tuple[PartyId, ...]
    moment: float
    _there: dict[PartyId, Any] = PrivateAttr(default_factory=dict)

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        self._there[party.id] = party
        async with asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(super().run(party, learner, task))
            if party.id in self.noticed_by:
                await asyncio.sleep(self.moment)
                self._there[party.id].lose(self._there[sum(self.link) - party.id])
        return playing.result()


@pytest.mark.parametrize("moment", [SET_UP_SECONDS + 1.0, SET_UP_SECONDS + 1.25])
@pytest.mark.parametrize("noticed_by", [(4, 5), (4,), (5,)])
@pytest.mark.parametrize("graph", [CompleteSettings(), LATTICE])
def test_of_two_whose_link_breaks_one_goes_for_all(
    graph: AnyGraph, noticed_by: tuple[PartyId, ...], moment: float
) -> None:
    """Else one's sums would be without the other for good, others' with it: the difference is its model."""
    system = Cut(
        graph=graph, threshold=4, timeout_seconds=20.0, link=(4, 5), noticed_by=noticed_by, moment=moment
    )
    trainings: Trainings = {}
    found = simulate(
        system,
        partial(Watched, trainings=trainings),
        workers=7,
        epochs=EPOCHS,
        network=NETWORK,
        delays=seconds_each,
    )
    assert set(found.outcomes) == {1, 2, 3, 4, 6, 7}
    assert str(found.errors[5]) == "worker 4 has lost worker 5, whose part ends so for all (worker 4)"
    played = Played(system, 7, found, trainings)
    neighbours = system.neighbourhoods(7)[5].neighbours
    apart = []
    for epoch in range(1, EPOCHS + 1):
        sums = [played.included(node, epoch) for node in neighbours]
        assert all(len(each) == 1 for each in sums)
        if len({5 in each[0] for each in sums}) == 2:
            apart.append(epoch)
    assert EPOCHS not in apart
    assert len(apart) <= 2


# ------------------------------------------------------------------------------------------ coming back


@pytest.mark.parametrize("graph", [CompleteSettings(), GroupSettings()])
@pytest.mark.parametrize("mode", ["bfv", "plain"])
def test_a_run_without_losses_is_resumed_as_ever(graph: AnyGraph, mode: Mode) -> None:
    system = Decentralised(graph=graph, mode=mode, threshold=3)
    whole = simulate(system, tiny(), workers=5, epochs=4)
    first = simulate(system, tiny(), workers=5, epochs=3)
    rest = simulate(system, tiny(), workers=5, epochs=4, resume=2, journals=first.journals)
    for node in range(1, 6):
        np.testing.assert_array_equal(whole.outcomes[node].parameters, rest.outcomes[node].parameters)


def test_an_epoch_that_was_opened_without_a_node_is_not_opened_again_with_it() -> None:
    system = Decentralised(graph=CompleteSettings(), threshold=3, timeout_seconds=20.0)
    leave = {3: SET_UP_SECONDS + 1.5}  # in its second epoch
    first = simulate(system, tiny(), workers=5, epochs=3, leave=leave, delays=seconds_each, network=NETWORK)
    assert set(first.outcomes) == {1, 2, 4, 5}
    assert first.journals[3].epochs("model") == [1]
    rest = simulate(system, tiny(), workers=5, epochs=4, resume=1, journals=first.journals)
    assert not rest.outcomes
    for node in (1, 2, 4, 5):
        assert "was opened without a worker that was lost, worker 3" in str(rest.errors[node])
        assert "begin a new run with another seed" in str(rest.errors[node])
    assert not any(isinstance(sent.message, say.Weighted) for sent in rest.transcript)


@pytest.mark.parametrize(("graph", "openers"), [(CompleteSettings(), {1, 2, 3, 4}), (GroupSettings(), {1})])
def test_an_epoch_that_was_opened_with_a_node_is_not_opened_again_without_it(
    graph: AnyGraph, openers: set[PartyId]
) -> None:
    """Node 5 is lost while it trains the epoch that is repeated: two sums would differ by its model."""
    system = Decentralised(graph=graph, threshold=3, timeout_seconds=20.0)
    still: dict[str, Any] = {"delays": seconds_each, "network": Network(latency_seconds=0.05)}
    first = simulate(system, tiny(), workers=5, epochs=2, **still)
    again: dict[str, Any] = {"workers": 5, "epochs": 2, "resume": 1, "journals": first.journals, **still}
    rest = simulate(system, tiny(), leave={5: SET_UP_SECONDS + 0.3}, **again)
    assert not rest.outcomes
    assert set(rest.errors) == {1, 2, 3, 4}
    for node in openers:
        assert "epoch 2 was opened before with the parameters of" in str(rest.errors[node])
        assert "begin a new run with another seed" in str(rest.errors[node])
    repeated = [sent for sent in rest.transcript if isinstance(sent.message, say.Summed | say.Total)]
    assert not repeated
    assert set(simulate(system, tiny(), **again).outcomes) == {1, 2, 3, 4, 5}, "with all of them it may be"


def test_who_was_lost_does_not_come_back() -> None:
    played = play(CompleteSettings(), {}, absences={3: [(2.5, 2.6)]})
    assert "the run goes on without whoever it has lost" in str(played.found.errors[3])
    assert set(played.found.outcomes) == {1, 2, 4, 5}


# ------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"threshold": 4}, "the smallest neighbourhood has 3 workers"),
        ({"threshold": 2}, "use at least 3"),
        ({"graph": {"type": "complete"}, "threshold": 3}, "half of it or fewer"),
        ({"graph": {"type": "group"}, "threshold": 7}, "the smallest neighbourhood has 6 workers"),
        ({"graph": {"type": "group"}, "threshold": 3}, "use at least 4"),
        ({"graph": {"type": "group"}, "weight_bits": 2}, "sums of 6 models do not fit in 2 bits"),
        ({"threshold": 1}, "system.threshold"),
    ],
)
def test_thresholds_that_cannot_be_or_protect_nobody_are_refused(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse({**TABLES, "system": {"type": "decentralised", **keys}})


@pytest.mark.parametrize("keys", [{"threshold": 2, "insecure": True}, {"threshold": 2, "mode": "plain"}])
def test_they_can_be_studied_all_the_same(keys: dict[str, Any]) -> None:
    assert parse({**TABLES, "system": {"type": "decentralised", **keys}}).system.tolerates_loss


@pytest.mark.parametrize(
    ("keys", "texts"),
    [
        ({}, ["If a node is lost, the run ends."]),
        (
            {"threshold": 4},
            [
                "as long as 4 of its nodes remain",
                "any 4 that collude, its node among them, read every single value",
                "two that collude then read it, or another's, from the difference",
            ],
        ),
        ({"threshold": 4, "mode": "plain"}, ["as long as 4 of its nodes remain"]),
        (
            {"threshold": 4, "graph": GroupSettings()},
            ["Without node 1 the run ends", "node 1 sees no more than the others", "hands out wrong sums"],
        ),
    ],
)
def test_what_a_loss_does_is_said(keys: dict[str, Any], texts: list[str]) -> None:
    said = " ".join(Decentralised(**{"graph": CompleteSettings(), **keys}).explain(6, 100_000))
    for text in texts:
        assert text in said
    shared = keys.get("mode", "bfv") == "bfv" and "threshold" in keys
    assert ("read every single value" in said) == shared
    assert ("two that collude then read it" in said) == (shared and "graph" not in keys)
