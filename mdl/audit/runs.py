"""A real run of the experiment's system on virtual links, and the manager's view read from its transcript.

What the manager sends and receives is all there is: nothing is taken from anybody's memory but what the
attacks are judged by, the gradients.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from gmpy2 import mpz, powmod

from mdl.audit.collusion import opened, unmasked
from mdl.audit.views import Encrypted, Part, Share, View, share_of
from mdl.party import MANAGER, PartyId
from mdl.protocols.on_arrival import Raise, Raised, RaisedOwn, RaiseOwn
from mdl.protocols.opening import Answer, Group, Open
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.groups import modular_group
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.shamir import reconstruct
from mdl.schemes.threshold import KeyShare
from mdl.simulator import Network, Sent, simulate
from mdl.system import Metrics, Training
from mdl.systems import coordinated, dynamic
from mdl.systems.credentials import Credentials
from mdl.vectors import Floats, Integers, unpack_flags

BLOCKS: Final = 8
"""Parameters of the model that is trained, each a block of its own."""

EPOCHS: Final = 2

_SLOWNESS: Final = 0.3
"""Worker i pauses 1 + 0.3 i virtual seconds after an epoch: so some come late to sets that close."""


@dataclass(frozen=True)
class Run:
    """What a run leaves with the manager, and the truth.

    Attributes:
        views: by block, of one parameter each, all versions together.
        key_shares: every worker's, for coalitions.
        truth: by block, what each contribution holds, shape (1,): decrypted with the key, and found among the
            gradients that its worker has computed.
    """

    views: Sequence[View]
    key_shares: Mapping[PartyId, KeyShare]
    truth: Sequence[Mapping[Part, Integers]]

    def secrets(self, colluders: Sequence[PartyId]) -> dict[PartyId, int]:
        """Give colluders' key shares as numbers."""
        return {worker: int.from_bytes(self.key_shares[worker].secret, "big") for worker in colluders}


def run(system: coordinated.Coordinated | dynamic.Dynamic, workers: int) -> Run:
    """Run a system with small made-up gradients, and collect what the manager holds.

    Raises:
        MdlError: the run failed.
    """
    system = system.model_copy(update={"block": 1})
    scheme = system.build_scheme(workers)
    assert isinstance(scheme, ElGamal)
    learners: dict[PartyId, _Walker] = {}

    def learner(party: PartyId) -> _Walker:
        return learners.setdefault(party, _Walker(party, scheme.fixed_point))

    # The authority draws the same keys a second time: that is how the coalition comes by its shares.
    simulation = simulate(
        system,
        learner,
        workers=workers,
        epochs=EPOCHS,
        network=Network(latency_seconds=0.01, jitter_seconds=0.2),
        delays=lambda party: [1 + _SLOWNESS * party] if party else [],
        rng=insecure_seeded(0),
    )
    for error in simulation.errors.values():
        raise error
    credentials = {
        party: Credentials.read(data) for party, data in system.deal(workers, rng=insecure_seeded(0)).items()
    }
    reader = _Reader(replace(scheme, members_limit=max(scheme.members_limit, 2)), simulation.transcript)
    views = reader.views(credentials[MANAGER].public_key)
    key_shares = {
        party: KeyShare(party, held.secret) for party, held in credentials.items() if party != MANAGER
    }
    truth = [_decrypted(view, key_shares) for view in views]
    for block, values in enumerate(truth):
        for (worker, _), value in values.items():
            assert value[0] in learners[worker].encoded()[:, block]
    return Run(views, key_shares, truth)


def _decrypted(view: View, key_shares: Mapping[PartyId, KeyShare]) -> dict[Part, Integers]:
    """Decrypt every contribution with the whole key, as nobody in a run can."""
    chosen = modular_group(view.scheme.group)
    held = {party: int.from_bytes(share.secret, "big") for party, share in key_shares.items()}
    secret = reconstruct(held, int(chosen.q))
    found = {}
    for part, upload in view.uploads.items():
        mask = [powmod(hint, secret, chosen.p) for hint in upload.hint]
        value = unmasked(view, frozenset({part}), mask)
        assert value is not None
        found[part] = value
    return found


class _Walker:
    """A learner whose gradients are drawn: any in the encoding's range is as good as another."""

    learning_rate = 1.0

    def __init__(self, party: PartyId, fixed_point: FixedPoint) -> None:
        self._fixed_point = fixed_point
        self._rng = np.random.default_rng(party)
        self._values: Floats = np.zeros(BLOCKS, np.float32)
        self._steps: list[Integers] = []

    def parameters(self) -> Floats:
        return self._values.copy()

    def load(self, parameters: Floats) -> None:
        self._values = parameters.astype(np.float32)

    def train(self, epoch: int) -> Training:
        limit = self._fixed_point.limit
        gradient = self._rng.integers(-limit, limit + 1, BLOCKS) * 2.0**-self._fixed_point.fraction_bits
        after = (self._values - gradient).astype(np.float32)
        # As the worker computes it: what float32 rounds away is no part of its gradient.
        self._steps.append(self._fixed_point.encode(self._values.astype(np.float64) - after)[0])
        return Training(after, loss=0.0, examples=1)

    def evaluate(self) -> Metrics:
        return Metrics(loss=0.0, accuracy=0.0)

    def encoded(self) -> Integers:
        return np.array(self._steps, np.int64).reshape(-1, BLOCKS)


class _Reader:
    """Goes through a transcript once, as the manager does, and sorts what it finds by block."""

    def __init__(self, scheme: ElGamal, transcript: Sequence[Sent]) -> None:
        self._scheme, self._group = scheme, modular_group(scheme.group)
        self._uploads: dict[int, dict[Part, Encrypted]] = defaultdict(dict)
        self._shares: dict[int, list[Share]] = defaultdict(list)
        self._registered: dict[Part, bytes] = {}
        self._called: dict[Part, list[int]] = {}
        self._asked: dict[tuple[PartyId, int], Any] = {}
        self._newest: dict[tuple[PartyId, int], int] = {}
        self._seated: dict[int, dict[Part, Share]] = defaultdict(dict)
        for sent in transcript:
            self._read(sent)

    def views(self, public_key: bytes) -> list[View]:
        """Give each block's view; sums are what m shares and more open."""
        return [self._view(block, public_key) for block in range(BLOCKS)]

    def _view(self, block: int, public_key: bytes) -> View:
        uploads, shares = self._uploads[block], self._shares[block]
        held = View(self._scheme, public_key, uploads, shares, {})
        sums = {}
        for parts in {share.parts for share in shares}:
            if len({share.holder for share in shares if share.parts == parts}) >= self._scheme.threshold:
                total = opened(held, parts, {})
                assert total is not None
                sums[parts] = total
        return replace(held, sums=sums)

    def _read(self, sent: Sent) -> None:
        match sent.message:
            case coordinated.Register(epoch, blocks):
                self._registered[sent.sender, epoch] = blocks
            case coordinated.CallbackUpload(epoch, blocks):
                registered = unpack_flags(self._registered[sent.receiver, epoch], BLOCKS)
                called = np.flatnonzero(unpack_flags(blocks, BLOCKS) & registered)
                self._called[sent.receiver, epoch] = called.tolist()
            case coordinated.Upload(epoch, first, body, hint):
                self._upload((sent.sender, epoch), self._called[sent.sender, epoch][first:], body, hint)
            case dynamic.Upload(version, blocks, body, hint):
                self._upload((sent.sender, version), _ids(blocks), body, hint)
            case Open() | Raise() | RaiseOwn() as question:
                self._asked[sent.receiver, question.request] = question
            case Answer(_, request, shares):
                question = self._asked[sent.sender, request]
                for asked, share in zip(question.groups, shares, strict=True):
                    self._answer(sent.sender, question.epoch, asked, share)
            case Raised(request, elements):
                question = self._asked[sent.sender, request]
                self._raised(sent.sender, question, self._group.unpack(elements))
            case RaisedOwn(request, elements):
                question = self._asked[sent.sender, request]
                self._raised_own(sent.sender, question, self._group.unpack(elements))

    def _upload(self, part: Part, blocks: Sequence[int], body: bytes, hint: bytes) -> None:
        rows = zip(self._group.unpack(body), self._group.unpack(hint), strict=True)
        for block, (c, nonce) in zip(blocks, rows, strict=False):
            self._uploads[block][part] = Encrypted([c], [nonce])
            self._newest[part[0], block] = part[1]

    def _answer(self, opener: PartyId, epoch: int, asked: Group, share: bytes) -> None:
        parts = frozenset((member, epoch) for member in asked.members)
        for block, element in zip(_ids(asked.blocks), self._group.unpack(share), strict=True):
            self._shares[block].append(share_of(self._scheme, [element], opener, asked.openers, parts))

    def _raised(self, newcomer: PartyId, question: Raise, elements: Sequence[mpz]) -> None:
        """Each element is a share of the newcomer's own mask; with it the earlier members' shares grow."""
        powers = iter(elements)
        for block in _ids(question.blocks):
            part = (newcomer, self._newest[newcomer, block])
            earlier = self._seated[block]
            among = (*(worker for worker, _ in earlier), newcomer)
            for member, so_far in list(earlier.items()):
                single = share_of(self._scheme, [next(powers)], member[0], among, frozenset({part}))
                product = so_far.elements[0] * single.elements[0] % self._group.p
                grown = Share(member[0], so_far.parts | {part}, [self._group.canonical(product)])
                self._shares[block] += [single, grown]
                earlier[member] = grown

    def _raised_own(self, newcomer: PartyId, question: RaiseOwn, elements: Sequence[mpz]) -> None:
        for block, element in zip(_ids(question.blocks), elements, strict=True):
            seated, part = self._seated[block], (newcomer, self._newest[newcomer, block])
            parts = frozenset({*seated, part})
            among = tuple(worker for worker, _ in (*seated, part))
            seated[part] = share_of(self._scheme, [element], newcomer, among, parts)
            self._shares[block].append(seated[part])
            if len(seated) == self._scheme.threshold:
                self._seated[block] = {}


def _ids(blocks: bytes) -> list[int]:
    return [int(block) for block in np.frombuffer(blocks, "<u4")]
