"""What manager and workers of ∝MDL^c say to each other, besides what opening takes (`mdl.protocols`)."""

from mdl.errors import ProtocolError
from mdl.party import Message, PartyId
from mdl.protocols import sets as active
from mdl.vectors import Flags, unpack_flags


class EpochBegins(Message, frozen=True):
    """Manager to all: an epoch begins, with these workers present (as `mdl.protocols.sets` writes them)."""

    epoch: int
    present: bytes


class Register(Message, frozen=True):
    """Worker to manager: the blocks of R_i, as a bitmap (event *register*)."""

    epoch: int
    blocks: bytes


class CallbackUpload(Message, frozen=True):
    """Manager to worker: upload these blocks of R_i; each has at least m registered (event *callback*)."""

    epoch: int
    blocks: bytes


class Upload(Message, frozen=True):
    """Worker to manager: c_i and g^{r_i} of the called blocks, from row `first` on (event *upload*)."""

    epoch: int
    first: int
    body: bytes
    hint: bytes


class CallbackDownload(Message, frozen=True):
    """Manager to worker: these blocks of R_i are updated, the others *missed* (event *callback*)."""

    epoch: int
    updated: bytes


class Download(Message, frozen=True):
    """Manager to worker: w^g of the updated blocks, from row `first` on, float32 (event *download*)."""

    epoch: int
    first: int
    values: bytes


class Finish(Message, frozen=True):
    """Manager to all: there is no further epoch."""

    reason: str


def flags_from(bitmap: bytes, count: int, sender: PartyId) -> Flags:
    """Read a peer's bitmap.

    Raises:
        ProtocolError: it is none for so many blocks.
    """
    try:
        return unpack_flags(bitmap, count)
    except ValueError as error:
        raise ProtocolError(str(error), [sender]) from error


def present_from(data: bytes, workers: int, sender: PartyId) -> tuple[PartyId, ...]:
    """Read who is present in an epoch; in ascending order.

    Raises:
        ProtocolError: it is no set of workers of this run.
    """
    try:
        (mask,) = active.from_bytes(data, workers).tolist()
    except ValueError as error:  # more sets than one, or none, as well
        raise ProtocolError(f"workers present that are none: {error}", [sender]) from error
    return active.members(mask)
