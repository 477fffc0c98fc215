"""How two parties agree on what to run and prove to each other who they are.

::

    caller                                      listener
    Hello      who, whom, what for,      ──▶    the same terms? else Refused, by name
               nonce, terms
    Challenge                            ◀──    nonce
    Proof      MAC under the secret      ──▶    right? not linked yet? else Refused
    Welcome                              ◀──    MAC under the secret

The secret is the link's: known to both of its ends, and to nobody else. Each MAC covers both nonces, both
ids, the terms, what the connection is for and the role of who made it, so none can be replayed, reflected or
moved to another link. The caller proves itself first: until then the listener answers the same way whatever
it knows of that caller. The proof authenticates the ends, not the bytes that follow; those are protected by
where the link runs (a socket in a directory of mode 0700).

Either side is a generator without I/O: it yields bytes to send, or None to be sent the next body that
arrives.
"""

import hashlib
import hmac
import secrets as randomness
from collections.abc import Callable, Generator, Mapping
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec

from mdl.errors import HandshakeRefused, LinkedAlready, MalformedMessage, party_name
from mdl.party import Message, PartyId
from mdl.transport.codec import Codec

SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 32
HANDSHAKE_LIMIT: Final = 64 * 1024
"""Bytes a frame may have before its sender has proved who it is."""

LINKED_ALREADY: Final = "you are linked already"
"""A reason to refuse that may soon be none."""

_SHOWN_TERMS: Final = 8
_SHOWN_CHARACTERS: Final = 200
"""Of what an unproved party says, only so much is repeated."""

Terms: TypeAlias = Mapping[str, str]
"""What both ends must agree on (protocol version, system, scheme, group, n, m, t ...). Public."""

Differences: TypeAlias = dict[str, tuple[str | None, str | None]]
"""Term to (caller's value, listener's value); None where there is no such term."""

T = TypeVar("T")
M = TypeVar("M", bound=Message)
Conversation: TypeAlias = Generator[bytes | None, bytes | None, T]

_Nonce: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
_Mac: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Hello(Message, frozen=True):
    """The caller says who it is, whom it wants, and what it would run.

    Attributes:
        caller: who it is.
        listener: whom it wants.
        nonce: fresh.
        terms: what it would run.
        again: whether it has been linked before, and comes back.
        lane: whether this is to be a lane beside the link that stands (`mdl.transport.lanes`), not a link.
    """

    caller: PartyId
    listener: PartyId
    nonce: _Nonce
    terms: dict[str, str]
    again: bool
    lane: bool


class Challenge(Message, frozen=True):
    """The listener agrees to the terms and asks for a proof."""

    nonce: _Nonce


class Proof(Message, frozen=True):
    """The caller's MAC."""

    mac: _Mac


class Welcome(Message, frozen=True):
    """The listener's MAC. The link is open."""

    mac: _Mac


class Refused(Message, frozen=True):
    """The listener closes the link and says why."""

    reason: str
    differences: Differences = msgspec.field(default_factory=dict)


_TO_LISTENER: Final = Codec([Hello, Proof])
_TO_CALLER: Final = Codec([Challenge, Welcome, Refused])


def call(
    caller: PartyId,
    listener: PartyId,
    *,
    secret: bytes,
    terms: Terms,
    again: bool = False,
    lane: bool = False,
    nonce: bytes | None = None,
    beside: str = "manager",
) -> Conversation[None]:
    """Play the caller's side.

    Args:
        caller: who this is.
        listener: who should answer.
        secret: the link's, `SECRET_BYTES` long.
        terms: what to run.
        again: whether the caller was in this run before, and comes back.
        lane: whether it wants a lane beside the link that it has.
        nonce: fresh and unpredictable; given only in tests.
        beside: what party 0 is called.

    Raises:
        HandshakeRefused: by the listener, or because the listener could not prove who it is.
        LinkedAlready: by the listener, because an earlier link of the caller's still stands.
        MalformedMessage: what came is no part of a handshake.
    """
    fresh = nonce or randomness.token_bytes(NONCE_BYTES)
    hello = Hello(caller, listener, fresh, dict(terms), again, lane)
    yield from _say(hello)
    challenge = yield from _hear_answer(Challenge, party_name(listener, beside))
    yield from _say(Proof(_mac(secret, "caller", hello, challenge)))
    welcome = yield from _hear_answer(Welcome, party_name(listener, beside))
    if not hmac.compare_digest(welcome.mac, _mac(secret, "listener", hello, challenge)):
        raise HandshakeRefused(f"who answered could not prove that it is {party_name(listener, beside)}")


def answer(
    listener: PartyId,
    *,
    secrets: Mapping[PartyId, bytes],
    terms: Terms,
    admit: Callable[[Hello], str],
    nonce: bytes | None = None,
    beside: str = "manager",
) -> Conversation[Hello]:
    """Play the listener's side.

    Args:
        listener: who this is.
        secrets: of the link with each party that may call, `SECRET_BYTES` long.
        terms: what to run.
        admit: asked once the caller has proved that it said this. Gives the reason to refuse it
            (`LINKED_ALREADY` or another), or nothing.
        nonce: fresh and unpredictable; given only in tests.
        beside: what party 0 is called.

    Returns:
        What the caller said.

    Raises:
        HandshakeRefused: the caller was refused; it has been told, as far as that is its business.
        MalformedMessage: what came is no part of a handshake.
    """
    hello = yield from _hear(_TO_LISTENER, Hello)
    name = party_name(hello.caller, beside)
    yield from _agree(hello, listener, terms, beside)
    challenge = Challenge(nonce or randomness.token_bytes(NONCE_BYTES))
    yield from _say(challenge)
    proof = yield from _hear(_TO_LISTENER, Proof)
    # An unknown caller meets a secret that nobody has: it cannot find out which ids are known.
    secret = secrets.get(hello.caller) or randomness.token_bytes(SECRET_BYTES)
    if not hmac.compare_digest(proof.mac, _mac(secret, "caller", hello, challenge)):
        yield from _say(Refused("you are not who you say you are"))
        known = "could not prove it" if hello.caller in secrets else "which is not known here"
        raise HandshakeRefused(f"a caller said that it was {name}, {known}")
    if reason := admit(hello):
        yield from _say(Refused(reason))
        raise HandshakeRefused(f"{name} was told: {reason}")
    yield from _say(Welcome(_mac(secret, "listener", hello, challenge)))
    return hello


def _agree(hello: Hello, listener: PartyId, terms: Terms, beside: str) -> Conversation[None]:
    """Refuse a caller that wants another party or other terms."""
    name = party_name(hello.caller, beside)
    if hello.listener != listener:
        yield from _say(Refused(f"this is {party_name(listener, beside)}"))
        raise HandshakeRefused(f"{name} wanted {party_name(hello.listener, beside)}")
    if differences := _differences(hello.terms, terms):
        yield from _say(Refused("something else is run here", differences))
        raise HandshakeRefused(f"{name} wants to run something else: {_listed(differences, here=1)}")


def _differences(caller: Terms, listener: Terms) -> Differences:
    names = sorted(name for name in {*caller, *listener} if caller.get(name) != listener.get(name))
    return {
        name[:_SHOWN_CHARACTERS]: (_shown(caller.get(name)), _shown(listener.get(name)))
        for name in names[:_SHOWN_TERMS]
    }


def _shown(value: str | None) -> str | None:
    return value if value is None else value[:_SHOWN_CHARACTERS]


def _listed(differences: Differences, here: int) -> str:
    """Put differences in words; `here` is this side's place in each pair."""
    said = [
        f"{_quoted(name)} is {_value(pair[1 - here])} there and {_value(pair[here])} here"
        for name, pair in differences.items()
    ]
    return "; ".join(said)


def _quoted(name: str) -> str:
    # The other side's words go into a log: a plain name as it is, anything else where it can do no harm.
    return name if name.isidentifier() else repr(name)


def _value(value: str | None) -> str:
    return "absent" if value is None else repr(value)


def _mac(secret: bytes, role: str, hello: Hello, challenge: Challenge) -> bytes:
    assert len(secret) == SECRET_BYTES
    terms = hashlib.sha256(msgspec.msgpack.encode(sorted(hello.terms.items()))).digest()
    # MessagePack writes every length, so no two different tuples give the same bytes.
    who = (hello.caller, hello.listener, hello.again, hello.lane)
    nonces = (hello.nonce, challenge.nonce)
    said = ("mdl handshake", role, who, nonces, terms)
    return hmac.digest(secret, msgspec.msgpack.encode(said), "sha256")


def _say(message: Message) -> Conversation[None]:
    yield _TO_CALLER.encode(message)


def _hear(codec: Codec, kind: type[M]) -> Conversation[M]:
    message = yield from _hear_any(codec)
    return _expect(message, kind)


def _hear_answer(kind: type[M], listener: str) -> Conversation[M]:
    """Hear the next words of the listener, given by name; turn a refusal into its error."""
    message = yield from _hear_any(_TO_CALLER)
    if isinstance(message, Refused):
        why = f"{listener} refused: {message.reason[:_SHOWN_CHARACTERS]!r}"
        listed = _listed(message.differences, here=0)
        refusal = LinkedAlready if message.reason == LINKED_ALREADY else HandshakeRefused
        raise refusal(f"{why}: {listed}" if listed else why)
    return _expect(message, kind)


def _hear_any(codec: Codec) -> Conversation[Message]:
    body = yield None
    assert body is not None
    return codec.decode(body)


def _expect(message: Message, kind: type[M]) -> M:
    if not isinstance(message, kind):
        raise MalformedMessage(f"a {type(message).__name__} in the place of a {kind.__name__}")
    return message
