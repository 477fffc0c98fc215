"""What the manager of ∝MDL opens, derived once more from what it received.

Uploads, the closed sets it announced, its questions and their answers: all from the transcript. The scheme's
own steps for the manager make the sums of them; no secret is needed, as the manager has none.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.party import MANAGER, PartyId
from mdl.protocols import sets as active
from mdl.protocols.opening import Answer, Closed, Open
from mdl.protocols.pooled import Opening, combined
from mdl.protocols.rows import rows
from mdl.protocols.sets import Sets
from mdl.protocols.summing import Contribution
from mdl.protocols.versions import Closing
from mdl.schemes.threshold import Context, ThresholdEncryption
from mdl.simulator import Sent
from mdl.systems import coordinated, dynamic
from mdl.vectors import Blocks, Integers, unpack_flags

Hiding: TypeAlias = coordinated.Coordinated | dynamic.Dynamic
"""The systems that hide gradients behind sums."""

_Group: TypeAlias = tuple[bytes, tuple[PartyId, ...], tuple[PartyId, ...]]
"""Blocks, members and openers, as a question names them."""


@dataclass(frozen=True, eq=False)
class Sums:
    """All sums of an epoch (or of a version of each block), put together.

    Attributes:
        values: shape (blocks, size); zeros where nothing was opened.
        sets: whose contributions are in them, shape (blocks,); 0 where nothing was opened.
    """

    values: Integers
    sets: Sets


def opened_sums(
    system: Hiding, transcript: Sequence[Sent], *, workers: int, blocks: Blocks, epoch: int
) -> Sums:
    """Open what the manager opens of one epoch of `coordinated`, or version of `dynamic`."""
    scheme = system.build_scheme(workers)
    uploads = contributions(scheme, transcript, blocks=blocks, epoch=epoch)
    asked = list(_answered(transcript, epoch)) if scheme.threshold else []
    openings = asked or list(_closed(transcript, workers=workers, blocks=blocks, epoch=epoch))
    values = np.zeros((blocks.count, blocks.size), np.int64)
    sets = np.zeros(blocks.count, np.uint64)
    for group, shares in openings:
        packed, members, openers = group
        if not set(members) <= uploads.keys():
            continue  # one of them did not deliver: missed
        ids = _ids(packed)
        bodies = [uploads[member].body_of(ids) for member in members]
        context = Context(b"", epoch, ids.tolist(), members, openers)
        (values[ids],) = combined(scheme, [Opening(bodies, shares, context)])
        sets[ids] = sum(1 << (member - 1) for member in members)
    return Sums(values, sets)


def contributions(
    scheme: ThresholdEncryption, transcript: Sequence[Sent], *, blocks: Blocks, epoch: int
) -> Mapping[PartyId, Contribution]:
    """Give what each worker uploaded for one epoch or version, as it crossed its link."""
    called: dict[PartyId, NDArray[np.int64]] = {}
    chosen: dict[PartyId, bytes] = {}
    parts: dict[PartyId, list[tuple[NDArray[np.int64], bytes, bytes]]] = defaultdict(list)
    for sent in transcript:
        match sent.message:
            case coordinated.Register(at, registered) if at == epoch:
                chosen[sent.sender] = registered
            case coordinated.CallbackUpload(at, wanted) if at == epoch:
                flags = unpack_flags(wanted, blocks.count)
                flags &= unpack_flags(chosen[sent.receiver], blocks.count)
                called[sent.receiver] = np.flatnonzero(flags)
            case coordinated.Upload(at, first, body, hint) if at == epoch:
                count = len(body) // scheme.body_bytes
                parts[sent.sender].append((called[sent.sender][first : first + count], body, hint))
            case dynamic.Upload(at, packed, body, hint) if at == epoch:
                parts[sent.sender].append((_ids(packed), body, hint))
    return {worker: _joined(scheme, uploaded) for worker, uploaded in parts.items()}


def _joined(
    scheme: ThresholdEncryption, parts: Sequence[tuple[NDArray[np.int64], bytes, bytes]]
) -> Contribution:
    ids = np.concatenate([blocks for blocks, _, _ in parts])
    body = rows(b"".join(body for _, body, _ in parts), scheme.body_bytes)
    hint = rows(b"".join(hint for _, _, hint in parts), scheme.hint_bytes)
    order = np.argsort(ids, kind="stable")
    return Contribution(ids[order], body[order], hint[order] if len(hint) else hint)


def _answered(
    transcript: Sequence[Sent], epoch: int
) -> Iterator[tuple[_Group, Mapping[PartyId, tuple[tuple[PartyId, ...], bytes]]]]:
    """Sort the answers by what they are about; give the groups for which all openers answered."""
    questions = {
        (sent.receiver, sent.message.request): sent.message
        for sent in transcript
        if isinstance(sent.message, Open) and sent.message.epoch == epoch
    }
    shares: dict[_Group, dict[PartyId, tuple[tuple[PartyId, ...], bytes]]] = defaultdict(dict)
    for sent in transcript:
        if sent.receiver == MANAGER and isinstance(sent.message, Answer) and sent.message.epoch == epoch:
            question = questions[sent.sender, sent.message.request]
            for asked, share in zip(question.groups, sent.message.shares, strict=True):
                group = (asked.blocks, asked.members, asked.openers)
                shares[group][sent.sender] = (asked.openers, share)
    return ((group, given) for group, given in shares.items() if given.keys() == set(group[2]))


def _closed(
    transcript: Sequence[Sent], *, workers: int, blocks: Blocks, epoch: int
) -> Iterator[tuple[_Group, Mapping[PartyId, tuple[tuple[PartyId, ...], bytes]]]]:
    """Give the sets that were announced, where nobody needs to answer to open them."""
    sets = np.zeros(blocks.count, np.uint64)
    for sent in transcript:
        match sent.message:
            case Closed(at, first, packed) if at == epoch:
                told = active.from_bytes(packed, workers)
                sets[first : first + len(told)] = told
            case Closing(at, which, packed) if at == epoch:
                sets[_ids(which)] = active.from_bytes(packed, workers)
    for mask, ids in active.groups(sets):
        yield (ids.astype("<u4").tobytes(), active.members(mask), ()), {}


def _ids(packed: bytes) -> NDArray[np.int64]:
    return np.frombuffer(packed, "<u4").astype(np.int64)
