"""What manager and workers of ∝MDL^d say to each other, besides what opening takes (`mdl.protocols`)."""

import numpy as np

from mdl.errors import ProtocolError
from mdl.party import Message, PartyId
from mdl.protocols.seats import BlockIds


class Join(Message, frozen=True):
    """Worker to manager: here I am, for the first time or again, with so many epochs behind me."""

    epoch: int


class Welcome(Message, frozen=True):
    """Manager to worker: the versions that collect, uint32 each, from block `first` on of so many blocks.

    `seated` is a bitmap: in which of these the worker still has a seat, from before it left.
    """

    first: int
    versions: bytes
    seated: bytes


class Upload(Message, frozen=True):
    """Worker to manager: c_i and g^{r_i} for this version of these blocks (Algorithm 5, line 3)."""

    version: int
    blocks: bytes
    body: bytes
    hint: bytes


class EpochDone(Message, frozen=True):
    """Worker to manager: I have trained this epoch of mine, and uploaded what I offer of it."""

    epoch: int


class Values(Message, frozen=True):
    """Manager to worker: w^g of blocks of which this version was opened, float32 (*download*)."""

    version: int
    blocks: bytes
    values: bytes


class Missed(Message, frozen=True):
    """Manager to contributors: this version of these blocks could not be opened. It is lost."""

    version: int
    blocks: bytes


class Refresh(Message, frozen=True):
    """Manager to worker: present values of w^g that it had not got, float32, where the policy says so."""

    blocks: bytes
    values: bytes


class Finish(Message, frozen=True):
    """Manager to all: it is over."""

    reason: str


def pack_ids(blocks: BlockIds) -> bytes:
    """Write a list of blocks, uint32 each."""
    return blocks.astype("<u4").tobytes()


def unpack_ids(packed: bytes, count: int, sender: PartyId) -> BlockIds:
    """Read a list of blocks.

    Raises:
        ProtocolError: it is none.
    """
    if len(packed) % 4 or not packed:
        raise ProtocolError("a list of blocks that is none", [sender])
    blocks = np.frombuffer(packed, "<u4").astype(np.int64)
    if blocks[-1] >= count or (np.diff(blocks) <= 0).any():
        raise ProtocolError("a list of blocks that is none, or names one twice", [sender])
    return blocks
