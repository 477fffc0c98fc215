"""Asking several peers at once, and living with those that do not answer."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from mdl.errors import PeerLeft, leaf
from mdl.party import Message, Party, PartyId

M = TypeVar("M", bound=Message)
R = TypeVar("R")


async def each(
    errands: Mapping[PartyId, Coroutine[Any, Any, R]], *, within: float | None = None
) -> dict[PartyId, R]:
    """Run one errand a peer, all at once, for at most `within` seconds if that is given.

    Returns:
        The results by peer. A peer that left, or whose errand was not done in time, is absent.

    Raises:
        Exception: whatever an errand raises, but for `PeerLeft` and `TimeoutError`; the others are cancelled.
    """
    results: dict[PartyId, R] = {}

    async def run(peer: PartyId, errand: Coroutine[Any, Any, R]) -> None:
        with suppress(PeerLeft, TimeoutError):  # its absence from the results says so
            async with asyncio.timeout(within):
                results[peer] = await errand

    try:
        async with asyncio.TaskGroup() as tasks:
            for peer, errand in errands.items():
                tasks.create_task(run(peer, errand))
    except ExceptionGroup as group:
        raise leaf(group) from group
    finally:
        for errand in errands.values():
            errand.close()  # cancelled before its first step, one was never begun
    return results


async def gather(
    party: Party,
    kind: type[M],
    senders: Collection[PartyId],
    *,
    wanted: Callable[[M], bool],
    stale: Sequence[type[Message]] = (),
    within: float,
) -> dict[PartyId, M]:
    """Collect one `wanted` message of `kind` from each sender.

    Messages of the kind that are not wanted, and all of the kinds in `stale`, are late answers to questions
    already given up: they are dropped, so that they do not fill the mailbox.

    Returns:
        By sender. Senders that left, or stayed silent for `within` seconds, are absent.
    """

    async def one(sender: PartyId) -> M:
        while True:
            message = (await party.receive(kind, *stale, sender=sender)).message
            if isinstance(message, kind) and wanted(message):
                return message

    return await each({sender: one(sender) for sender in senders}, within=within)
