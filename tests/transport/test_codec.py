"""Codec: every message round-trips, and nothing else is let in."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import MalformedMessage
from mdl.party import Message
from mdl.transport.codec import Codec, kind_of


class Update(Message, frozen=True):
    epoch: int
    blocks: tuple[int, ...]
    body: bytes


class Note(Message, frozen=True):
    text: str
    table: dict[str, float]


class Secret(Message, frozen=True):
    pass


updates = st.builds(
    Update,
    epoch=st.integers(0, 2**63 - 1),
    blocks=st.lists(st.integers(0, 2**31)).map(tuple),
    body=st.binary(),
)
notes = st.builds(
    Note, text=st.text(), table=st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), max_size=3)
)


@given(message=st.one_of(updates, notes))
def test_every_message_round_trips(message: Message) -> None:
    codec = Codec([Update, Note])
    assert codec.decode(codec.encode(message)) == message


@given(message=updates)
def test_one_kind_alone_round_trips(message: Message) -> None:
    assert Codec([Update]).decode(Codec([]).encode(message)) == message


@pytest.mark.parametrize("receivable", [[], [Update], [Update, Note]])
@given(body=st.binary(max_size=60))
def test_arbitrary_bytes_are_a_message_or_malformed(receivable: list[type[Message]], body: bytes) -> None:
    with suppress(MalformedMessage):
        assert isinstance(Codec(receivable).decode(body), tuple(receivable))


@given(message=st.one_of(updates, notes), place=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_changed_byte_gives_a_message_or_is_malformed(message: Message, place: int, value: int) -> None:
    codec = Codec([Update, Note])
    body = bytearray(codec.encode(message))
    body[place % len(body)] = value
    with suppress(MalformedMessage):
        assert isinstance(codec.decode(bytes(body)), Update | Note)


@pytest.mark.parametrize("receivable", [[], [Update], [Update, Note]])
def test_a_kind_the_party_may_not_receive_is_malformed(receivable: list[type[Message]]) -> None:
    with pytest.raises(MalformedMessage):
        Codec(receivable).decode(Codec([]).encode(Secret()))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x91" * 100_000, id="nested deeply"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="a list of four thousand million"),
        pytest.param(b"\x82\xa4type\xa4Note\xa4text\xa1\xff", id="bad UTF-8"),
        pytest.param(msgspec.msgpack.encode({"type": "Secret", "more": 1}), id="an unknown field"),
        pytest.param(msgspec.msgpack.encode({"type": "Secret"}) + b"\x00", id="trailing bytes"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_hostile_bytes_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        Codec([Update, Note, Secret]).decode(body)


def test_the_kind_is_the_name_of_the_class() -> None:
    assert kind_of(Secret()) == "Secret"
    assert msgspec.msgpack.decode(Codec([]).encode(Secret())) == {"type": "Secret"}
