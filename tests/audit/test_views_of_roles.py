"""Who receives what of SSDDL and D-MHE: every message that is sent is one that is listed here.

What is public does not grow with the model, so that no parameters are in it. What is hidden passes for random
words. What is shown is a sum, the model that all are handed, or, in a plain mode, a single model.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pytest
from scipy import stats

from mdl.party import MANAGER, Message
from mdl.protocols.pieces import Piece
from mdl.schemes.bfv import Elements, MultipartyBfv, Secret
from mdl.schemes.mersenne import PRIME
from mdl.simulator import Sent, Simulation, simulate
from mdl.systems import Decentralised, SecretShared
from mdl.systems.decentralised import messages as gossip
from mdl.systems.decentralised.topology import CompleteSettings, GroupSettings, RingSettings
from mdl.systems.secret_shared import messages as sharing
from mdl.vectors import Blocks
from tests.tiny import TinyLearner, tiny

Content: TypeAlias = Literal["public", "hidden", "shown"]
Played: TypeAlias = SecretShared | Decentralised
Kinds: TypeAlias = Mapping[type[Message], Content]

WORKERS: Final = 4
SMALL, LARGE = 100, 9_000

TO_SERVER: Final[Kinds] = {
    sharing.Announcement: "public",
    sharing.Declined: "public",
    sharing.Held: "public",
    sharing.Upload: "hidden",
}
TO_MEMBERS: Final[Kinds] = {
    sharing.Agree: "public",
    sharing.Announcements: "public",
    sharing.Begin: "public",
    sharing.Global: "shown",
    sharing.Share: "hidden",
    sharing.Basis: "public",
    sharing.Open: "public",
    sharing.Ended: "public",
    sharing.Finish: "public",
}
TO_NODES: Final[Kinds] = {
    gossip.Announcement: "public",
    gossip.Announcements: "public",
    gossip.SharesDealt: "public",  # sealed; as large as the keys
    gossip.SharesHeld: "public",
    gossip.PublicShare: "public",
    gossip.CollectiveKey: "public",
    gossip.Weighted: "hidden",
    gossip.Summed: "hidden",
    gossip.Opening: "hidden",
    gossip.Lost: "public",
    gossip.Recovering: "public",
    gossip.GivenUp: "public",
    gossip.Total: "shown",
    gossip.Done: "public",
    gossip.Waiting: "public",
}

HIDING: Final[Sequence[Played]] = [
    SecretShared(mode="prng"),
    SecretShared(mode="additive"),
    SecretShared(mode="shamir"),
    Decentralised(),
    Decentralised(graph=CompleteSettings(), threshold=3),
    Decentralised(graph=GroupSettings()),
    Decentralised(graph=GroupSettings(), threshold=3),
]
PLAIN: Final[Sequence[Played]] = [
    SecretShared(mode="plain"),
    Decentralised(mode="plain"),
    Decentralised(mode="plain", graph=GroupSettings()),
]


def title(system: Played) -> str:
    return "-".join(
        [system.type, system.mode, *([system.graph.type] if system.type == "decentralised" else [])]
    )


@cache
def run(place: int, size: int) -> Simulation:
    played = simulate([*HIDING, *PLAIN][place], tiny(size), workers=WORKERS, epochs=2)
    assert not played.errors
    return played


def content(system: Played, sent: Sent) -> Content:
    kinds = TO_NODES if isinstance(system, Decentralised) else TO_MEMBERS if sent.receiver else TO_SERVER
    return kinds[type(sent.message)]


@pytest.mark.parametrize("place", range(len(HIDING) + len(PLAIN)))
def test_every_message_is_of_a_kind_that_its_receiver_is_listed_with(place: int) -> None:
    system = [*HIDING, *PLAIN][place]
    for sent in run(place, SMALL).transcript:
        content(system, sent)  # KeyError: it is not listed
        assert type(sent.message) in system.receives(sent.receiver)
        assert (sent.sender, sent.receiver) in {*system.links(WORKERS), *map(_turned, system.links(WORKERS))}
    listed = {*TO_NODES} if isinstance(system, Decentralised) else {*TO_MEMBERS, *TO_SERVER}
    for party in system.roster(WORKERS):
        assert set(system.receives(party)) <= listed


def _turned(link: tuple[int, int]) -> tuple[int, int]:
    return link[1], link[0]


@pytest.mark.parametrize("place", range(len(HIDING)))
def test_what_is_public_is_as_large_for_any_model(place: int) -> None:
    def sizes(parameters: int) -> Sequence[int]:
        transcript = run(place, parameters).transcript
        return sorted(sent.size_bytes for sent in transcript if content(HIDING[place], sent) == "public")

    assert sizes(SMALL) == sizes(LARGE)


@pytest.mark.parametrize("place", range(len(HIDING)))
def test_what_is_hidden_passes_for_random_words_and_is_never_sent_twice(place: int) -> None:
    system = HIDING[place]
    most = PRIME if getattr(system, "mode", "") == "shamir" else 1 << 32
    ways: dict[tuple[type[Message], int, int], list[bytes]] = {}
    for sent in run(place, LARGE).transcript:
        if content(system, sent) == "hidden" and isinstance(sent.message, Piece):
            ways.setdefault((type(sent.message), sent.sender, sent.receiver), []).append(sent.message.values)
    assert ways
    for (kind, _, _), pieces in ways.items():
        words = np.frombuffer(b"".join(pieces), "<u4").astype(np.int64)
        counts = np.bincount(words * 64 // most, minlength=64)
        assert stats.chisquare(counts).pvalue > 1e-5, kind
        assert len(set(pieces)) == len(pieces)


@pytest.mark.parametrize("place", range(len(HIDING), len(HIDING) + len(PLAIN)))
def test_in_a_plain_mode_that_is_not_so(place: int) -> None:
    uploads = b"".join(
        sent.message.values
        for sent in run(place, LARGE).transcript
        if isinstance(sent.message, sharing.Upload | gossip.Weighted)
    )
    counts = np.bincount(np.frombuffer(uploads, "<u4") >> 26, minlength=64)
    assert stats.chisquare(counts).pvalue < 1e-9


@pytest.mark.parametrize(
    "place", [place for place, system in enumerate(HIDING) if system.type == "secret-shared"]
)
def test_members_of_ssddl_are_shown_one_model_all_alike(place: int) -> None:
    played = run(place, LARGE)
    handed = [sent for sent in played.transcript if isinstance(sent.message, sharing.Global)]
    for epoch in (1, 2):
        alike = {
            b"".join(
                sent.message.values  # type: ignore[attr-defined]  # of Global
                for sent in handed
                if (sent.receiver, sent.message.epoch) == (worker, epoch)  # type: ignore[attr-defined]
            )
            for worker in range(1, WORKERS + 1)
        }
        assert len(alike) == 1
    assert {sent.sender for sent in handed} == {MANAGER}


def test_in_a_group_of_nodes_the_sum_is_shown_and_nothing_else() -> None:
    place = next(place for place, system in enumerate(HIDING) if title(system) == "decentralised-bfv-group")
    played, system = run(place, LARGE), HIDING[place]
    assert isinstance(system, Decentralised)
    encoded = [
        system.encoding.encode(TinyLearner(n, LARGE).train(1).parameters)[0] for n in range(1, WORKERS + 1)
    ]
    totals = b"".join(
        sent.message.values
        for sent in played.transcript
        if isinstance(sent.message, gossip.Total) and (sent.receiver, sent.message.epoch) == (2, 1)
    )
    words = np.frombuffer(totals, "<i4")
    np.testing.assert_array_equal(words[:LARGE], np.sum(encoded, axis=0))
    assert words[LARGE:].tolist() == [WORKERS]


# ------------------------------------------------------------------------------------------------
# all links but one secret


@pytest.mark.parametrize("graph", [RingSettings(), GroupSettings()], ids=lambda graph: graph.type)
def test_who_reads_all_links_lacks_the_nodes_own_share_and_reads_noise(
    monkeypatch: pytest.MonkeyPatch, graph: Any
) -> None:
    """Node 1's ciphertexts and all its neighbours' openings; with what node 1 alone computes, its sum."""
    kept: dict[bytes, Elements] = {}
    own_share = MultipartyBfv.own_share

    def noted(scheme: MultipartyBfv, secret: Secret, c1: Elements) -> Elements:
        made = own_share(scheme, secret, c1)
        kept[c1.tobytes()] = made
        return made

    monkeypatch.setattr(MultipartyBfv, "own_share", noted)
    system, learners = (
        Decentralised(graph=graph),
        [TinyLearner(node, LARGE) for node in range(1, WORKERS + 1)],
    )
    transcript = simulate(system, tiny(LARGE), workers=WORKERS).transcript
    hood = system.neighbourhoods(WORKERS)[1]
    scheme, blocks = system.scheme(len(hood.neighbours)), Blocks(LARGE, 4096)

    def crossed(kind: type[Piece], sender: int, receiver: int) -> bytes:
        pieces = [sent for sent in transcript if (sent.sender, sent.receiver) == (sender, receiver)]
        return b"".join(sent.message.values for sent in pieces if isinstance(sent.message, kind))

    def elements(data: bytes) -> Elements:
        return Elements.read(data, scheme.degree)

    sent = [crossed(gossip.Weighted, neighbour, 1) for neighbour in hood.neighbours]
    c0, *others = [elements(each[: len(each) // 2]) for each in sent]
    for other in others:
        c0 = c0 + other
    openings = [elements(crossed(gossip.Opening, neighbour, 1)) for neighbour in hood.neighbours]
    read = scheme.open(c0, openings)
    counts = np.bincount((read.reshape(-1) + (1 << 31)) >> 26, minlength=64)
    assert stats.chisquare(counts).pvalue > 1e-5

    summed = crossed(gossip.Summed, 1, hood.neighbours[0])
    encoded = [system.encoding.encode(learner.train(1).parameters)[0] for learner in learners]
    expected = np.sum([hood.weights[j] * encoded[j - 1] for j in hood.neighbours], axis=0)
    opened = blocks.join(scheme.open(c0, [*openings, kept[summed]]))
    np.testing.assert_array_equal(opened, expected)
