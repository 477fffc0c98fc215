"""Tensors as sealed messages: each pair of parties has a key, and the size of a message shows nothing else.

What is sent has no header: both ends know what comes. Pieces of a direction are numbered, and the number is
the nonce of AES-256-GCM, so one that is changed, left out, repeated or put in another's place does not open.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from numpy.typing import NDArray
from torch import Tensor

from mdl.errors import InvalidShare
from mdl.mpc.ring import shaped
from mdl.mpc.rounds import Received, Wanted, Words
from mdl.party import PartyId

PIECE_BYTES: Final = 1 << 20
"""A piece's longest text; longer messages are sealed in several, each of which fits into a cache."""

TAG_BYTES: Final = 16

Bytes: TypeAlias = bytes | bytearray | memoryview


class Seal:
    """One party's side of a pair's secrecy.

    Args:
        secret: the pair's, 32 bytes, of this start of the run alone.
        own: this party.
        peer: the other one.
    """

    def __init__(self, secret: bytes, own: PartyId, peer: PartyId) -> None:
        self._peer = peer
        self._out, self._in = _Direction(secret, own, peer), _Direction(secret, peer, own)

    def seal(self, text: Bytes, room: memoryview) -> None:
        """Encrypt the next piece to the peer, into `TAG_BYTES` more than it has."""
        self._out.cipher.encrypt_into(self._out.nonce(), text, None, room)

    def open(self, piece: Bytes, room: memoryview) -> None:
        """Decrypt the next piece from the peer, into `TAG_BYTES` less than it has.

        Raises:
            InvalidShare: it is not that.
        """
        try:
            self._in.cipher.decrypt_into(self._in.nonce(), piece, None, room)
        except InvalidTag:
            raise InvalidShare(
                "a message that the party did not seal, or not as the next one", [self._peer]
            ) from None


class _Direction:
    def __init__(self, secret: bytes, sender: PartyId, receiver: PartyId) -> None:
        info = b"mdl: shares from %d to %d" % (sender, receiver)
        self.cipher = AESGCM(HKDFExpand(SHA256(), 32, info).derive(secret))
        self._count = 0

    def nonce(self) -> bytes:
        self._count += 1
        return self._count.to_bytes(12, "big")


def sealed_bytes(size_bytes: int) -> int:
    """Give the length of a sealed message of so many bytes. An empty one has a tag too."""
    pieces = max(1, -(-size_bytes // PIECE_BYTES))
    return size_bytes + pieces * TAG_BYTES


def seal_tensors(seal: Seal, tensors: Sequence[Tensor | Words], room: memoryview) -> None:
    """Seal tensors or arrays, one after the other, as one message into room of `sealed_bytes`."""
    parts = [_bytes_of(tensor) for tensor in tensors]
    if len(room) <= PIECE_BYTES + TAG_BYTES:
        seal.seal(_joined(parts), room)
        return
    first = 0
    for piece in _pieces(parts):
        end = first + len(piece) + TAG_BYTES
        seal.seal(piece, room[first:end])
        first = end


def open_tensors(seal: Seal, message: memoryview, wants: Sequence[Wanted]) -> Received:
    """Open a message of `sealed_bytes` of what is wanted.

    Returns:
        The tensors and arrays, which share memory of their own.

    Raises:
        InvalidShare: it is not the next one that the party sealed.
    """
    sealed = PIECE_BYTES + TAG_BYTES
    pieces = -(-len(message) // sealed)
    found = np.empty(len(message) - pieces * TAG_BYTES, np.uint8)
    if pieces == 1:
        seal.open(message, found.data)
    else:
        for number in range(pieces):
            piece = slice(number * PIECE_BYTES, (number + 1) * PIECE_BYTES)
            seal.open(message[number * sealed : (number + 1) * sealed], found[piece].data)
    tensors: list[Any] = []
    first = 0
    for want in wants:
        tensors.append(_words(found, want, first))
        first += want.size_bytes
    return tensors


def by_sender(wants: Sequence[Wanted], numbers: Sequence[PartyId]) -> Mapping[PartyId, list[Wanted]]:
    """Sort what is wanted by whom it comes from; `numbers` says which party of the run is which here."""
    found: dict[PartyId, list[Wanted]] = {}
    for want in wants:
        found.setdefault(numbers[want.sender], []).append(want)
    return found


def _words(data: NDArray[np.uint8], want: Wanted, first: int) -> Tensor | Words:
    if isinstance(want.dtype, np.dtype):
        return np.ndarray(want.shape, want.dtype, data, first)
    if not want.size_bytes:
        return torch.empty(want.shape, dtype=want.dtype)
    # An array is a buffer.
    words = torch.frombuffer(data, dtype=want.dtype, count=math.prod(want.shape), offset=first)
    return shaped(words, want.shape)


def _bytes_of(words: Tensor | Words) -> memoryview:
    if not words.nbytes:
        return memoryview(bytearray())
    array = words.numpy() if isinstance(words, Tensor) else words
    return memoryview(np.ascontiguousarray(array)).cast("B")  # type: ignore[arg-type]


def _pieces(parts: Sequence[memoryview]) -> Iterator[Bytes]:
    """Cut what the parts give one after the other; only what spans several is copied."""
    held: list[memoryview] = []
    missing = PIECE_BYTES
    for part in parts:
        first = 0
        while len(part) - first >= missing:
            yield _joined([*held, part[first : first + missing]])
            first, held, missing = first + missing, [], PIECE_BYTES
        if first < len(part):
            held.append(part[first:])
            missing -= len(part) - first
    if held or not any(map(len, parts)):
        yield _joined(held)


def _joined(parts: Sequence[memoryview]) -> Bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)
