"""How parties that compute on secrets come to sealed links: each with each, in one exchange."""

import hmac
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from mdl.errors import PeerLeft, PeerTimeout
from mdl.mpc.links import Links
from mdl.mpc.messages import Sealed, Signed
from mdl.mpc.seals import Seal
from mdl.party import Party, PartyId
from mdl.protocols.gathering import each
from mdl.schemes.key_agreement import Agreement, Identity
from mdl.system import Randomness, Task

M = TypeVar("M", bound=Signed)


@dataclass(frozen=True)
class Met(Generic[M]):
    """What a party knows then.

    Attributes:
        announced: what each party has said, this one too.
        order: the parties of the run in the order of their numbers in the computation, from 0: workers, and
            after them a dealer, if there is one.
        links: over which they compute.
    """

    announced: Mapping[PartyId, M]
    order: tuple[PartyId, ...]
    links: Links


async def meet(
    party: Party, task: Task, announce: Callable[[bytes], M], *, within: float, rng: Randomness
) -> Met[M]:
    """Tell all others who one is, hear the same of them, and agree on a secret with each.

    Args:
        party: with links to all others that are there.
        task: its part, with an `Identity` as credentials, which names who must be there.
        announce: makes what is told of a signed key.
        within: seconds to wait for a message, now and later.
        rng: of the key.

    Raises:
        PeerLeft: somebody is gone, whether or not it had said something.
        PeerTimeout: somebody is there and has said nothing.
        InvalidShare: a key is not signed by whom it should be. Where anything else that was announced has
            been changed, or is not the same for all, the first sealed message does not open.
    """
    identity = msgspec.msgpack.decode(task.credentials, type=Identity)
    agreement = Agreement(identity, task.run, 1, rng=rng)
    mine = announce(agreement.announcement)
    announced = {party.id: mine, **await _announced(party, identity.public.keys() - {party.id}, mine, within)}
    secrets = await party.to_thread(
        "cryptography", agreement.agree, {peer: each.signed for peer, each in announced.items()}
    )
    workers = range(1, task.workers + 1)
    order = tuple(sorted(announced, key=lambda one: (one not in workers, one)))
    said = msgspec.msgpack.encode(sorted(announced.items()))
    seals = {peer: Seal(_bound(secret, said), party.id, peer) for peer, secret in secrets.items()}
    lanes = await party.lanes(seals.keys(), Sealed, within)
    return Met(announced, order, Links(party, order, seals, within, lanes))


def _bound(secret: bytes, said: bytes) -> bytes:
    """Bind a pair's secret to all announcements: who has heard others than its peer cannot open a message."""
    return hmac.digest(secret, said, "sha256")


async def _announced(party: Party, others: Set[PartyId], mine: M, within: float) -> dict[PartyId, M]:
    """Tell all others what one has to say, and hear the same of them."""

    async def swap(peer: PartyId) -> M:
        await party.send(peer, mine)
        return (await party.receive(type(mine), sender=peer)).message

    found = await each({peer: swap(peer) for peer in sorted(others)}, within=within)
    missing = sorted(others - found.keys())
    if gone := [peer for peer in missing if peer not in party.peers]:
        raise PeerLeft("left before all had announced themselves", gone)
    if missing:
        raise PeerTimeout(f"no announcement within timeout_seconds = {within:g}", missing)
    return found
