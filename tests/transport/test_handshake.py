"""Handshake: two generators talk to each other without a link."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import HandshakeRefused, LinkedAlready, TransportError
from mdl.transport.handshake import LINKED_ALREADY, Conversation, Hello, Terms, answer, call

SECRET = b"s" * 32
OTHER_SECRET = b"o" * 32
SECRETS = {1: SECRET, 2: OTHER_SECRET}
TERMS = {"version": "1", "scheme": "elgamal", "workers": "3"}


def anyone(_hello: Hello) -> str:
    return ""


def nobody(_hello: Hello) -> str:
    return LINKED_ALREADY


def listener(terms: Terms = TERMS, admit: Callable[[Hello], str] = anyone) -> Conversation[Hello]:
    return answer(0, secrets=SECRETS, terms=terms, admit=admit)


def caller(party: int = 1, secret: bytes = SECRET, terms: Terms = TERMS, peer: int = 0) -> Conversation[None]:
    return call(party, peer, secret=secret, terms=terms)


@dataclass
class Side:
    """One end: what it said, and how it ended."""

    talk: Conversation[Hello] | Conversation[None]
    said: list[bytes] = field(default_factory=list)
    result: Hello | None = None
    error: TransportError | None = None
    ended: bool = False

    def hear(self, body: bytes | None) -> None:
        """Give it a body (None at its beginning); collect what it says until it wants the next."""
        try:
            said = self.talk.send(None) if body is None else self.talk.send(body)
            while said is not None:
                self.said.append(said)
                said = self.talk.send(None)
        except StopIteration as end:
            self.result, self.ended = end.value, True
        except TransportError as error:
            self.error, self.ended = error, True


def meet(calling: Conversation[None], listening: Conversation[Hello]) -> tuple[Side, Side]:
    """Join two ends by a link that carries one body at a time."""
    left, right = Side(calling), Side(listening)
    left.hear(None)
    right.hear(None)
    heard_left = heard_right = 0
    while True:
        if heard_right < len(left.said) and not right.ended:
            right.hear(left.said[heard_right])
            heard_right += 1
        elif heard_left < len(right.said) and not left.ended:
            left.hear(right.said[heard_left])
            heard_left += 1
        else:
            return left, right


def test_two_that_know_the_secret_and_agree_are_linked() -> None:
    left, right = meet(caller(), listener())
    assert left.ended
    assert left.error is None
    assert right.error is None
    assert right.result is not None
    assert (right.result.caller, right.result.again, right.result.lane) == (1, False, False)


@pytest.mark.parametrize(
    "terms", [TERMS | {"scheme": "plain"}, {"version": "1", "workers": "3"}, TERMS | {"threshold": "2"}]
)
def test_different_terms_are_refused_by_name_on_both_sides(terms: dict[str, str]) -> None:
    left, right = meet(caller(terms=terms), listener())
    name = next(iter({name for name in {*TERMS, *terms} if TERMS.get(name) != terms.get(name)}))
    theirs, ours = (repr(side[name]) if name in side else "absent" for side in (terms, TERMS))
    assert isinstance(left.error, HandshakeRefused)
    assert isinstance(right.error, HandshakeRefused)
    assert f"{name} is {ours} there and {theirs} here" in str(left.error)
    assert f"{name} is {theirs} there and {ours} here" in str(right.error)


def test_a_wrong_secret_learns_only_that_it_is_not_believed() -> None:
    left, right = meet(caller(secret=OTHER_SECRET), listener())
    assert "not who you say you are" in str(left.error)
    assert "worker 1, could not prove it" in str(right.error)
    assert not any(OTHER_SECRET in said or SECRET in said for said in left.said + right.said)


def test_an_unknown_party_is_told_the_same_as_one_with_a_wrong_secret() -> None:
    unknown, right = meet(caller(party=9), listener())
    wrong, _ = meet(caller(secret=OTHER_SECRET), listener())
    assert str(unknown.error) == str(wrong.error)
    assert "worker 9, which is not known here" in str(right.error)


def test_one_worker_cannot_call_as_another() -> None:
    left, _ = meet(caller(party=2, secret=SECRET), listener())
    assert isinstance(left.error, HandshakeRefused)


def test_a_linked_party_learns_so_only_after_its_proof() -> None:
    left, right = meet(caller(), listener(admit=nobody))
    assert isinstance(left.error, LinkedAlready)
    assert "worker 1 was told: you are linked already" in str(right.error)
    stranger, _ = meet(caller(secret=OTHER_SECRET), listener(admit=nobody))
    assert "linked already" not in str(stranger.error)


@pytest.mark.parametrize("again", [False, True])
def test_a_caller_says_whether_it_comes_back_and_is_told_why_it_may_not(again: bool) -> None:
    def admit(hello: Hello) -> str:
        assert (hello.caller, hello.again) == (1, again)
        return "come back tomorrow"

    left, _ = meet(call(1, 0, secret=SECRET, terms=TERMS, again=again), listener(admit=admit))
    assert type(left.error) is HandshakeRefused
    assert "come back tomorrow" in str(left.error)


def test_a_caller_at_the_wrong_door_is_told_whose_it_is() -> None:
    left, right = meet(caller(peer=2), listener())
    assert "this is manager" in str(left.error)
    assert "worker 1 wanted worker 2" in str(right.error)


def test_an_impostor_that_listens_is_found_out() -> None:
    impostor = answer(0, secrets={1: OTHER_SECRET}, terms=TERMS, admit=anyone)
    left, _ = meet(caller(), impostor)
    assert isinstance(left.error, HandshakeRefused)


def test_a_listener_without_the_secret_cannot_welcome() -> None:
    honest, _ = meet(caller(), listener())
    assert honest.error is None
    left, right = Side(caller()), Side(listener())
    left.hear(None)
    right.hear(None)
    right.hear(left.said[0])
    left.hear(right.said[0])
    forged = bytearray(answer_to(right, left.said[1]))
    forged[-1] ^= 1
    left.hear(bytes(forged))
    assert "could not prove that it is manager" in str(left.error)


def answer_to(side: Side, body: bytes) -> bytes:
    side.hear(body)
    return side.said[-1]


def test_an_earlier_conversation_replayed_is_refused() -> None:
    earlier, _ = meet(caller(), listener())
    right = Side(listener())
    right.hear(None)
    for body in earlier.said:
        right.hear(body)
    assert isinstance(right.error, HandshakeRefused)


def test_a_proof_reflected_is_no_welcome() -> None:
    left, right = Side(caller()), Side(listener())
    left.hear(None)
    right.hear(None)
    right.hear(left.said[0])
    left.hear(right.said[0])
    left.hear(left.said[1].replace(b"Proof", b"Welcome").replace(b"\xa5Welcome", b"\xa7Welcome"))
    assert "could not prove" in str(left.error)


@given(body=st.binary(max_size=80), turn=st.integers(0, 1))
def test_garbage_ends_the_listener_with_a_transport_error(body: bytes, turn: int) -> None:
    left, right = Side(caller()), Side(listener())
    left.hear(None)
    right.hear(None)
    if turn:
        right.hear(left.said[0])
    right.hear(body)
    assert isinstance(right.error, TransportError)


@given(body=st.binary(max_size=80), turn=st.integers(0, 1))
def test_garbage_ends_the_caller_with_a_transport_error(body: bytes, turn: int) -> None:
    left, right = Side(caller()), Side(listener())
    left.hear(None)
    right.hear(None)
    if turn:
        right.hear(left.said[0])
        left.hear(right.said[0])
    left.hear(body)
    assert isinstance(left.error, TransportError)


def test_words_out_of_turn_are_malformed() -> None:
    left, right = Side(caller()), Side(listener())
    left.hear(None)
    right.hear(None)
    right.hear(left.said[0])
    right.hear(left.said[0])
    assert "a Hello in the place of a Proof" in str(right.error)


def test_a_welcome_before_the_challenge_is_malformed() -> None:
    earlier, right = meet(caller(), listener())
    assert earlier.error is None
    left = Side(caller())
    left.hear(None)
    left.hear(right.said[-1])
    assert "a Welcome in the place of a Challenge" in str(left.error)


def meet_with_meddler(
    calling: Conversation[None], listening: Conversation[Hello], change: dict[str, object]
) -> Side:
    """Let someone on the way rewrite the caller's Hello; give the listener's side."""
    left, right = Side(calling), Side(listening)
    left.hear(None)
    right.hear(None)
    hello = msgspec.msgpack.decode(left.said[0])
    right.hear(msgspec.msgpack.encode(hello | change))
    left.hear(right.said[0])
    if not left.ended:
        right.hear(left.said[1])
    return right


def test_terms_changed_on_the_way_spoil_the_proof() -> None:
    other = TERMS | {"scheme": "plain"}
    right = meet_with_meddler(caller(terms=other), listener(), {"terms": TERMS})
    assert "worker 1, could not prove it" in str(right.error)


def test_a_caller_renamed_on_the_way_cannot_prove_its_new_name_even_with_its_secret() -> None:
    listening = answer(0, secrets={1: SECRET, 2: SECRET}, terms=TERMS, admit=anyone)
    right = meet_with_meddler(caller(), listening, {"caller": 2})
    assert "worker 2, could not prove it" in str(right.error)


def test_a_call_redirected_on_the_way_reaches_nobody_else() -> None:
    listening = answer(2, secrets=SECRETS, terms=TERMS, admit=anyone)
    right = meet_with_meddler(caller(peer=0), listening, {"listener": 2})
    assert "worker 1, could not prove it" in str(right.error)


@pytest.mark.parametrize("lane", [False, True])
def test_a_caller_says_what_for_and_nobody_on_the_way_can_change_it(lane: bool) -> None:
    _, right = meet(call(1, 0, secret=SECRET, terms=TERMS, lane=lane), listener())
    assert right.result is not None
    assert right.result.lane == lane
    calling = call(1, 0, secret=SECRET, terms=TERMS, lane=lane)
    right = meet_with_meddler(calling, listener(), {"lane": not lane})
    assert "worker 1, could not prove it" in str(right.error)


def test_long_or_odd_terms_are_cut_and_quoted_in_the_error() -> None:
    _, right = meet(caller(terms=TERMS | {"x\ny": "z\n" * 1000, "scheme": "s"}), listener())
    assert "\n" not in str(right.error)
    assert len(str(right.error)) < 1000


def test_party_0_is_called_by_what_it_is() -> None:
    calling = call(1, 0, secret=SECRET, terms=TERMS, beside="dealer")
    left, _ = meet(calling, answer(0, secrets={}, terms=TERMS, admit=anyone, beside="dealer"))
    assert "dealer refused: 'you are not who you say you are'" in str(left.error)
    calling = call(0, 1, secret=SECRET, terms=TERMS)
    _, right = meet(calling, answer(1, secrets={0: OTHER_SECRET}, terms=TERMS, admit=anyone, beside="dealer"))
    assert "said that it was dealer, could not prove it" in str(right.error)
