"""What the manager holds of some parameters when all is done: the material of every attack.

A view holds group elements as they crossed the links, with the Lagrange coefficients taken off the shares,
which are public. It is the same for the protocols as printed, played here by their local steps, and for ours,
read from the transcript of a real run (`mdl.audit.runs`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
from gmpy2 import invert, mpz, powmod

from mdl.party import PartyId
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.groups import modular_group
from mdl.schemes.on_arrival import (
    Arrived,
    encrypt_keeping,
    open_sets,
    questions,
    raise_to_nonces,
    raise_to_share,
    seat,
)
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.shamir import lagrange_at_zero
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.system import Randomness
from mdl.vectors import Integers

Part: TypeAlias = tuple[PartyId, int]
"""A worker's contribution to one version (or epoch) of the parameters."""

Elements: TypeAlias = Sequence[mpz]
"""One for each parameter."""

PARAMETERS: Final = 4
"""So many parameters are attacked together: enough that no guess is right by luck."""


@dataclass(frozen=True)
class Encrypted:
    """One contribution: c and g^r."""

    body: Elements
    hint: Elements


@dataclass(frozen=True)
class Share:
    """(g^R)^{s_j}: holder j's share of the mask h^R, where R is the sum of the nonces of `parts`."""

    holder: PartyId
    parts: frozenset[Part]
    elements: Elements


@dataclass(frozen=True)
class View:
    """What the manager holds.

    Attributes:
        scheme: how values are hidden; its threshold is how many shares give a mask.
        public_key: h and the commitments.
        uploads: by contribution.
        shares: all that follow from the answers by raising to public numbers.
        sums: what was published, by the contributions in it; shape (parameters,).
    """

    scheme: ElGamal
    public_key: bytes
    uploads: Mapping[Part, Encrypted]
    shares: Sequence[Share]
    sums: Mapping[frozenset[Part], Integers]


@dataclass(frozen=True)
class Stage:
    """All parties' secrets: what the attacks are judged by, and where a coalition's key shares come from.

    Attributes:
        scheme: as the experiment has it, with one parameter a block.
        public_key: h and the commitments.
        key_shares: every worker's.
        gradients: every worker's encoded gradient, shape (PARAMETERS,).
        rng: of the nonces.
    """

    scheme: ElGamal
    public_key: bytes
    key_shares: Mapping[PartyId, KeyShare]
    gradients: Mapping[PartyId, Integers]
    rng: Randomness

    def secrets(self, colluders: Sequence[PartyId]) -> dict[PartyId, int]:
        """Give colluders' key shares as numbers."""
        return {worker: int.from_bytes(self.key_shares[worker].secret, "big") for worker in colluders}

    @property
    def truth(self) -> dict[Part, Integers]:
        """What each worker's only contribution holds."""
        return {(worker, 1): gradient for worker, gradient in self.gradients.items()}

    def encrypt(self, worker: PartyId) -> tuple[Ciphertext, list[list[int]]]:
        """Have a worker encrypt its gradient; its nonces too."""
        context = Context(b"audit", 1, range(PARAMETERS))
        plaintext = self.gradients[worker].reshape(-1, 1)
        return encrypt_keeping(
            self.scheme, self.public_key, self.key_shares[worker], plaintext, context, rng=self.rng
        )


def staged(scheme: ElGamal, workers: int, *, rng: Randomness | None = None) -> Stage:
    """Deal keys, and draw every worker's gradient over the whole range."""
    rng = rng or SystemRandomness()
    scheme = replace(scheme, block=1)
    public_key, key_shares = scheme.deal(range(1, workers + 1), rng=rng)
    limit = scheme.fixed_point.limit
    drawn = {
        worker: np.array([rng.below(2 * limit + 1) - limit for _ in range(PARAMETERS)], np.int64)
        for worker in key_shares
    }
    return Stage(scheme, public_key, key_shares, drawn, rng)


def encrypted(scheme: ElGamal, ciphertext: Ciphertext) -> Encrypted:
    """Read a ciphertext's elements."""
    chosen = modular_group(scheme.group)
    return Encrypted(chosen.unpack(ciphertext.body), chosen.unpack(ciphertext.hint))


def share_of(
    scheme: ElGamal, answer: Elements, holder: PartyId, among: Sequence[PartyId], parts: frozenset[Part]
) -> Share:
    """Take holder's coefficient among `among` off an answer (g^R)^{s_j z_j}."""
    chosen = modular_group(scheme.group)
    z = lagrange_at_zero(among, int(chosen.q))[holder]
    inverse = invert(z, chosen.q)
    return Share(holder, parts, [chosen.canonical(powmod(x, inverse, chosen.p)) for x in answer])


def printed_on_arrival(stage: Stage, order: Sequence[PartyId]) -> View:
    """Play ∝MDL^d as printed (Algorithms 4 and 5): these workers arrive; sums are published from the m-th on.

    Algorithm 4 does not say that a set closes. Where `order` has m workers, it is the protocol with the
    closing rule; where it has more, without.
    """
    scheme, chosen = stage.scheme, modular_group(stage.scheme.group)
    states: Sequence[Arrived] = [Arrived()] * PARAMETERS
    uploads: dict[Part, Encrypted] = {}
    shares: list[Share] = []
    sums: dict[frozenset[Part], Integers] = {}
    for worker in order:
        earlier = states[0].members
        upload, nonces = stage.encrypt(worker)
        uploads[worker, 1] = encrypted(scheme, upload)
        shown, own = questions(scheme, stage.public_key, worker, states, upload.hint)
        raised = raise_to_nonces(scheme, shown, [len(earlier)] * PARAMETERS, nonces)
        answer = raise_to_share(scheme, stage.key_shares[worker], own, PARAMETERS)
        states = seat(scheme, worker, states, upload, raised=raised, own=answer)
        columns = chosen.unpack(raised)
        for place, member in enumerate(earlier):
            answers = columns[place :: len(earlier)]
            shares.append(share_of(scheme, answers, member, (*earlier, worker), frozenset({(worker, 1)})))
        shares += _of_the_set(scheme, states)
        if len(states[0].members) >= scheme.threshold:
            sums[_parts(states[0].members)] = open_sets(scheme, states).reshape(-1)
    return View(scheme, stage.public_key, uploads, shares, sums)


def _of_the_set(scheme: ElGamal, states: Sequence[Arrived]) -> Iterator[Share]:
    """Every member's d-value is a share of the mask of the sum so far."""
    chosen, members = modular_group(scheme.group), states[0].members
    for place, member in enumerate(members):
        answers = [chosen.unpack(state.answers[place])[0] for state in states]
        yield share_of(scheme, answers, member, members, _parts(members))


def printed_coordinated(stage: Stage, sets: Sequence[Sequence[PartyId]]) -> View:
    """Play ∝MDL^c as printed (Algorithms 2 and 3), opening the same ciphertexts over each of these sets.

    The paper opens one set. It does not say what happens when a member fails to answer; who tries again
    without it opens a second.
    """
    scheme, chosen = stage.scheme, modular_group(stage.scheme.group)
    everybody = sorted({worker for members in sets for worker in members})
    ciphertexts = {worker: stage.encrypt(worker)[0] for worker in everybody}
    shares: list[Share] = []
    sums: dict[frozenset[Part], Integers] = {}
    for members in sets:
        hints = [ciphertexts[member].hint for member in members]
        bodies = [ciphertexts[member].body for member in members]
        context = Context(b"audit", 1, range(PARAMETERS), tuple(members), tuple(members))
        answers = {
            member: scheme.decryption_share(stage.key_shares[member], hints, context, rng=stage.rng)
            for member in members
        }
        parts = _parts(members)
        sums[parts] = scheme.combine(scheme.add(bodies, context), answers, context).reshape(-1)
        for member, answer in answers.items():
            shares.append(share_of(scheme, chosen.unpack(answer), member, members, parts))
    uploads = {(worker, 1): encrypted(scheme, sent) for worker, sent in ciphertexts.items()}
    return View(scheme, stage.public_key, uploads, shares, sums)


def _parts(members: Sequence[PartyId]) -> frozenset[Part]:
    return frozenset((member, 1) for member in members)
