"""Attacks by a manager that does *not* follow the protocol, on workers that do.

No system here claims to withstand them: the threat model is semi-honest. They show what that assumption is
worth, and they run against the worker's own code (`mdl.protocols.opening`, `mdl.protocols.versions`), which
answers or refuses.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from gmpy2 import mpz, powmod

from mdl.audit.collusion import Guesses, decoded, unmasked
from mdl.audit.views import PARAMETERS, Elements, Part, Stage, View, encrypted
from mdl.party import MANAGER, PartyId
from mdl.protocols import sets as active
from mdl.protocols.opening import Answer, Closed, Group, Open, Opener
from mdl.protocols.versions import Closing, VersionOpener
from mdl.schemes.groups import modular_group
from mdl.schemes.modular import ModularGroup
from mdl.schemes.on_arrival import raise_to_share
from mdl.schemes.shamir import lagrange_at_zero
from mdl.schemes.threshold import Ciphertext
from mdl.simulator import MemoryJournal
from mdl.simulator.loop import VirtualLoop
from mdl.simulator.party import SimulatedParty, no_charge
from mdl.systems import coordinated, dynamic
from mdl.transport.codec import Codec

System = coordinated.Coordinated | dynamic.Dynamic

T = TypeVar("T")

BLOCKS = np.arange(PARAMETERS)


class Crew:
    """The workers of a run in epoch (or version) 1, each with what it uploaded; they say no if they must.

    Args:
        stage: keys and gradients.
        system: whose rules the workers keep.
        uploads: what each uploaded; honest ciphertexts if not given.
    """

    def __init__(
        self, stage: Stage, system: System, uploads: Mapping[PartyId, Ciphertext] | None = None
    ) -> None:
        self._stage, self._system = stage, system
        self._workers = len(stage.key_shares)
        self._party = SimulatedParty(
            MANAGER, Codec([Open]), charge=no_charge, transcript=[], on_record=_ignore
        )
        self.uploads = uploads or {worker: stage.encrypt(worker)[0] for worker in stage.key_shares}
        self._openers = {worker: self._opener(worker) for worker in stage.key_shares}

    @property
    def view(self) -> View:
        """What the manager holds before it asks anybody."""
        uploads = {(worker, 1): encrypted(self._stage.scheme, sent) for worker, sent in self.uploads.items()}
        return View(self._stage.scheme, self._stage.public_key, uploads, [], {})

    async def tell(self, worker: PartyId, members: Sequence[PartyId]) -> None:
        """Announce a closed set to one worker.

        Raises:
            ProtocolError: it refuses.
        """
        mask = sum(1 << (member - 1) for member in members)
        told = active.to_bytes(np.full(PARAMETERS, mask, np.uint64), self._workers)
        opener = self._openers[worker]
        if isinstance(opener, Opener):
            await opener.closed(self._party, Closed(1, 0, told))
        else:
            opener.closed(Closing(1, BLOCKS.astype("<u4").tobytes(), told))

    async def ask(
        self,
        worker: PartyId,
        members: Sequence[PartyId],
        openers: Sequence[PartyId],
        hints: Mapping[PartyId, bytes],
    ) -> Elements:
        """Have one worker answer for a set, shown these hints of its members (but its own).

        Raises:
            ProtocolError: it refuses.
        """
        shown = tuple(hints[member] for member in members if member != worker)
        asked = Group(BLOCKS.astype("<u4").tobytes(), tuple(members), tuple(openers), shown)
        answer: Answer = await self._openers[worker].answer(self._party, Open(1, 1, (asked,)))
        return modular_group(self._stage.scheme.group).unpack(answer.shares[0])

    def _opener(self, worker: PartyId) -> Opener | VersionOpener:
        hint = self.uploads[worker].hint
        common: dict[str, Any] = {
            "run": b"audit",
            "visibility_threshold": self._system.visibility_threshold(self._workers),
            "workers": self._workers,
        }
        scheme, key_share = self._stage.scheme, self._stage.key_shares[worker]
        if isinstance(self._system, dynamic.Dynamic):
            versions = np.ones(PARAMETERS, np.int64)
            latest = VersionOpener(scheme, key_share, window=self._system.window, versions=versions, **common)
            latest.uploaded(BLOCKS, 1, hint)
            return latest
        opener = Opener(scheme, key_share, blocks=PARAMETERS, journal=MemoryJournal(), **common)
        opener.begin(1)
        opener.uploaded(BLOCKS, hint)
        return opener


def play(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a conversation to its end on a clock of its own."""
    loop = VirtualLoop(None)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(story())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def raised_hint(stage: Stage) -> Guesses:
    """Send each member of a set the victim's g^{r_v z_i} in place of g^{r z_i}, in ∝MDL^c as printed.

    A worker raises what it is shown to its key share, and cannot tell (Algorithm 3, lines 10 and 11).
    """
    scheme = stage.scheme
    chosen = modular_group(scheme.group)
    members = range(1, scheme.threshold + 1)
    upload = encrypted(scheme, stage.encrypt(members[-1])[0])
    z = lagrange_at_zero(members, int(chosen.q))
    answers = []
    for member in members:
        shown = [chosen.canonical(powmod(hint, z[member], chosen.p)) for hint in upload.hint]
        answer = raise_to_share(scheme, stage.key_shares[member], chosen.pack(shown), PARAMETERS)
        answers.append(chosen.unpack(answer))
    part: Part = (members[-1], 1)
    view = View(scheme, stage.public_key, {part: upload}, [], {})
    found = unmasked(view, frozenset({part}), chosen.multiply(answers))
    return {} if found is None else {frozenset({part}): found}


async def forged_hints(stage: Stage, system: System) -> Guesses:
    """Show every opener a list of hints whose product is the victim's hint, times a power that is known.

    Opener i multiplies what it is shown by its own g^{r_i}. So one of the hints is g^a / g^{r_i}: the product
    is g^{r_v + a}, whichever i. With m such answers, and h^a, the victim v is opened. Needs m of at least 3:
    a member besides v and i.

    Raises:
        ProtocolError: a worker refuses.
    """
    scheme, crew = stage.scheme, Crew(stage, system)
    chosen = modular_group(scheme.group)
    members = range(1, system.visibility_threshold(len(stage.key_shares)) + 1)
    openers, victim = range(1, scheme.threshold + 1), members[-1]
    known = [stage.rng.below(chosen.nonce_bound) for _ in range(PARAMETERS)]
    answers = []
    for opener in openers:
        await crew.tell(opener, members)
        own = [mpz(1)] * PARAMETERS
        if opener in members and opener != victim:
            own = chosen.inverses(chosen.unpack(crew.uploads[opener].hint))
        forged = chosen.multiply([_powers(chosen, known), own])
        rest = [member for member in members if member not in (victim, opener)]
        hints = {member: _identity(chosen) for member in rest}
        hints |= {rest[0]: chosen.pack(forged), victim: crew.uploads[victim].hint}
        answers.append(await crew.ask(opener, members, openers, hints))
    return _less_known(stage, crew, victim, chosen.multiply(answers), known)


async def rogue_hint(stage: Stage, system: System) -> Guesses:
    """Have one colluding worker upload the hint g^a / (the others' hints but the victim's).

    All are then shown the same, true list, and its product is the victim's hint times g^a. Signatures under
    the hints would not help: the colluder signs its own. What helps is a proof that it knows its nonce.

    Raises:
        ProtocolError: a worker refuses.
    """
    scheme = stage.scheme
    chosen = modular_group(scheme.group)
    members = range(1, system.visibility_threshold(len(stage.key_shares)) + 1)
    openers, victim, colluder = range(1, scheme.threshold + 1), members[-1], members[0]
    uploads = {worker: stage.encrypt(worker)[0] for worker in stage.key_shares}
    known = [stage.rng.below(chosen.nonce_bound) for _ in range(PARAMETERS)]
    others = [chosen.unpack(uploads[w].hint) for w in members if w not in (victim, colluder)]
    without = [chosen.inverses(chosen.multiply(others))] if others else []
    rogue = chosen.multiply([_powers(chosen, known), *without])
    uploads[colluder] = Ciphertext(uploads[colluder].body, chosen.pack(rogue))
    crew = Crew(stage, system, uploads)
    hints = {member: uploads[member].hint for member in members}
    answers = []
    for opener in openers:
        await crew.tell(opener, members)
        answers.append(await crew.ask(opener, members, openers, hints))
    return _less_known(stage, crew, victim, chosen.multiply(answers), known)


async def two_openings(stage: Stage, system: System) -> Guesses:
    """Tell half of the workers of one set, and the others of another that differs by one worker.

    Nobody answers twice, but two sums of the same gradients are opened. Needs twice as many workers as must
    answer. Where sets have exactly m members, one more worker goes in for another that leaves, and colludes:
    what it uploaded itself is known.

    Raises:
        ProtocolError: a worker refuses.
    """
    scheme, crew = stage.scheme, Crew(stage, system)
    chosen = modular_group(scheme.group)
    m = system.visibility_threshold(len(stage.key_shares))
    exact = isinstance(system, dynamic.Dynamic)
    sets = [range(2, m + 2), range(1, m + 1)] if exact else [range(1, m + 1), range(1, m + 2)]
    totals = []
    for half, members in enumerate(sets):
        openers = range(half * scheme.threshold + 1, (half + 1) * scheme.threshold + 1)
        hints = {member: crew.uploads[member].hint for member in members}
        answers = []
        for opener in openers:
            await crew.tell(opener, members)
            answers.append(await crew.ask(opener, members, openers, hints))
        parts = frozenset((member, 1) for member in members)
        totals.append(unmasked(crew.view, parts, chosen.multiply(answers)))
    if totals[0] is None or totals[1] is None:
        return {}
    if exact:
        return {frozenset({(1, 1)}): totals[1] - totals[0] + stage.gradients[m + 1]}
    return {frozenset({(m + 1, 1)}): totals[1] - totals[0]}


async def second_answer(stage: Stage, system: System) -> Guesses:
    """Ask workers that have answered for a set once more, for the set without one of its members.

    Raises:
        ProtocolError: a worker refuses, as it must.
    """
    crew = Crew(stage, system)
    chosen = modular_group(stage.scheme.group)
    m = system.visibility_threshold(len(stage.key_shares))
    members = range(1, m + 1 if isinstance(system, dynamic.Dynamic) else m + 2)
    openers = range(1, stage.scheme.threshold + 1)
    hints = {member: crew.uploads[member].hint for member in members}
    for opener in openers:
        await crew.tell(opener, members)
    totals = []
    for asked in (members, members[:-1]):
        answers = [await crew.ask(opener, asked, openers, hints) for opener in openers]
        totals.append(unmasked(crew.view, frozenset((w, 1) for w in asked), chosen.multiply(answers)))
    assert totals[0] is not None
    assert totals[1] is not None
    return {frozenset({(members[-1], 1)}): totals[0] - totals[1]}


def _less_known(stage: Stage, crew: Crew, victim: PartyId, masks: Elements, known: Sequence[int]) -> Guesses:
    """Divide h^{r_v + a} by h^a, and the victim's body by what is left."""
    chosen = modular_group(stage.scheme.group)
    h = chosen.unpack(stage.public_key)[0]
    part: Part = (victim, 1)
    extra = [powmod(h, a, chosen.p) for a in known]
    body = crew.view.uploads[part].body
    found = decoded(crew.view, chosen.multiply([body, extra, chosen.inverses(masks)]), 1)
    return {} if found is None else {frozenset({part}): found}


def _powers(chosen: ModularGroup, exponents: Sequence[int]) -> Elements:
    return [chosen.canonical(powmod(chosen.g, exponent, chosen.p)) for exponent in exponents]


def _identity(chosen: ModularGroup) -> bytes:
    return chosen.pack([mpz(1)] * PARAMETERS)


def _ignore(_fact: Mapping[str, Any]) -> None:
    """Records of the attacks interest nobody."""
