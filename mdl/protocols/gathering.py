"""Asking several peers at once, and living with those that do not answer."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from mdl.errors import PeerLeft
from mdl.party import Message, Party, PartyId

M = TypeVar("M", bound=Message)
R = TypeVar("R")


async def each(errands: Mapping[PartyId, Coroutine[Any, Any, R]], *, within: float) -> dict[PartyId, R]:
    """Run one errand a peer, all at once, for at most `within` seconds.

    Returns:
        The results by peer. A peer that left, or whose errand was not done in time, is absent.

    Raises:
        Exception: whatever an errand raises, but for `PeerLeft`; the other errands are cancelled.
    """
    results: dict[PartyId, R] = {}

    async def run(peer: PartyId, errand: Coroutine[Any, Any, R]) -> None:
        with suppress(PeerLeft):  # its absence from the results says so
            results[peer] = await errand

    try:
        async with asyncio.timeout(within), asyncio.TaskGroup() as tasks:
            for peer, errand in errands.items():
                tasks.create_task(run(peer, errand))
    except TimeoutError:
        pass  # as above
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
    return results


async def gather(
    party: Party,
    kind: type[M],
    senders: Collection[PartyId],
    *,
    wanted: Callable[[M], bool],
    within: float,
) -> dict[PartyId, M]:
    """Collect one `wanted` message of `kind` from each sender.

    Messages of the kind that are not wanted are late answers to a question already given up: they are
    dropped.

    Returns:
        By sender. Senders that left, or stayed silent for `within` seconds, are absent.
    """

    async def one(sender: PartyId) -> M:
        while True:
            envelope = await party.receive(kind, sender=sender)
            if wanted(envelope.message):
                return envelope.message

    return await each({sender: one(sender) for sender in senders}, within=within)
