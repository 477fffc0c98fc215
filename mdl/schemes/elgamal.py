"""Threshold ElGamal [ElGamal85; Zhang, Ji, Wang, Wang, ICDCS 2017, §III-D and Algorithms 1 to 3].

A parameter is c = M * h^r beside its hint g^r, with M from `mdl.schemes.encodings`. Over an active set the
bodies multiply to prod(M) * h^R and the hints to g^R, R the sum of the nonces. An opener i answers
(g^R)^(z_i s_i): s_i is its share of the key and z_i its Lagrange coefficient among the openers. The answers
multiply to g^(R s) = h^R, and what is left is prod(M).

Where the paper's text is departed from, and why:

- The key and its shares live in Z_q, not Z_p: they are exponents.
- The opener multiplies the hints itself and folds z_i into its exponent: the manager raises nothing to a
  power.
- Any `threshold` workers open a sum; they need not be its members.
- exp(gradient) is used in safe-prime groups only. In a Schnorr group c^q = M^q, which tells the gradient.

Every nonce is drawn afresh, one a parameter: two ciphertexts under one nonce divide to M / M', the difference
of two gradients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gmpy2 import invert

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.party import PartyId
from mdl.schemes import shamir
from mdl.schemes.encodings import EncodingName, Exponential, Lifted, encoding
from mdl.schemes.fixed_base import kept_table
from mdl.schemes.fixed_point import FixedPoint, outside
from mdl.schemes.groups import group
from mdl.schemes.prime_order import AnyGroup, Exponents
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.system import Randomness
from mdl.vectors import Integers

NOBODY: Final[tuple[PartyId, ...]] = ()


@dataclass(frozen=True)
class ElGamal:
    """Threshold encryption of fixed-point entries; sums come back exactly.

    Attributes:
        group: a name of `mdl.schemes.groups.GROUP_NAMES`.
        encoding: ``"lifted"``, or ``"exponential"`` in a safe-prime group.
        block: parameters in a block.
        threshold: m, openers needed; at least 1.
        fixed_point: the grid of the entries.
        members_limit: size of the largest active set; sums are proved to fit up to it.

    Raises:
        ValueError: the sums do not fit (`mdl.schemes.encodings.capacity_problems`), or a field makes no
            sense.
    """

    group: str
    encoding: EncodingName
    block: int
    threshold: int
    fixed_point: FixedPoint
    members_limit: int

    def __post_init__(self) -> None:
        if min(self.block, self.threshold, self.members_limit) < 1:
            raise ValueError(f"block, threshold and members_limit must be at least 1: {self}")
        if problems := self._encoding.problems():
            raise ValueError("; ".join(problems))

    @property
    def bound(self) -> int:
        """The largest |sum| over the largest active set."""
        return self.fixed_point.bound(self.members_limit)

    @property
    def body_bytes(self) -> int:
        """An element for each parameter."""
        return self.block * self._group.element_bytes

    @property
    def hint_bytes(self) -> int:
        """An element for each parameter."""
        return self.block * self._group.element_bytes

    @property
    def shown_bytes(self) -> int:
        """The whole hint."""
        return self.hint_bytes

    @property
    def share_bytes(self) -> int:
        """An element for each parameter."""
        return self.block * self._group.element_bytes

    @property
    def members_first(self) -> bool:
        """No: sets close over what has come."""
        return False

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Show the whole hint to everybody."""
        return hint

    def prepare(self) -> None:
        """Decode nothing at all: it builds the decoding table, if there is one."""
        self._encoding.decode(self._group.unpack(b""), self.members_limit)

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, KeyShare]]:
        """Draw a key, share it, commit to it (Algorithm 1).

        Returns:
            The public key, which is h = g^{θ_0} and Feldman's other commitments g^{θ_1} ... g^{θ_{m-1}}, and
            a key share for each point.

        Raises:
            NotEnoughShares: fewer points than the threshold: nobody could ever open anything.
            ValueError: a point is not in [1, q), or occurs twice.
        """
        if len(points) < self.threshold:
            raise NotEnoughShares(f"{len(points)} key shares cannot reach a threshold of {self.threshold}")
        q = int(self._group.q)
        coefficients = shamir.polynomial(self.threshold, q, rng=rng)
        width = self._group.scalar_bytes
        shares = {
            point: KeyShare(point, share.to_bytes(width, "big"))
            for point, share in shamir.shares(coefficients, points, q).items()
        }
        return self._group.pack(shamir.commit(self._group, [coefficients])), shares

    def check_key_share(self, public_key: bytes, share: KeyShare) -> None:
        """Verify one's own key share against the public key's commitments.

        Raises:
            InvalidShare: it does not lie on the committed polynomial, or one of the two is malformed.
        """
        commitments = self._elements(public_key, self.threshold, NOBODY)
        secret = int.from_bytes(share.secret, "big")
        well_formed = (
            len(share.secret) == self._group.scalar_bytes
            and secret < self._group.q
            and 0 < share.point < self._group.q
            and self._group.all_members(commitments)
        )
        if not (well_formed and shamir.lie_on(self._group, commitments, share.point, [secret])):
            raise InvalidShare(f"the key share of worker {share.point} does not fit the public key")

    def encrypt(
        self,
        public_key: bytes,
        key_share: KeyShare,
        plaintext: Integers,
        context: Context,
        *,
        rng: Randomness,
    ) -> Ciphertext:
        """Encrypt each entry as c = M * h^r and g^r, r fresh; shape (len(context.blocks), block).

        Raises:
            OutOfRange: an entry is outside ±fixed_point.limit.
            InvalidShare: the public key is malformed.
        """
        assert plaintext.shape == (len(context.blocks), self.block)
        if outside(plaintext, self.fixed_point.limit):
            raise OutOfRange(f"an entry is outside ±{self.fixed_point.limit}")
        chosen, bound = self._group, self._group.nonce_bound
        g, h = (
            kept_table(chosen, chosen.pack(base), range(bound))
            for base in (chosen.generator, self._public_element(public_key))
        )
        nonces = Exponents([rng.below(bound) for _ in range(plaintext.size)])
        hints = chosen.power_products([(g, nonces)])
        bodies = self._encoding.masked(plaintext.reshape(-1), h, nonces)
        return Ciphertext(body=chosen.pack(bodies), hint=chosen.pack(hints))

    def add(self, bodies: Sequence[bytes], context: Context) -> bytes:
        """Multiply the members' bodies, row by row.

        Raises:
            InvalidShare: a body is malformed or no element of the group.
            OutOfRange: more members than members_limit.
        """
        self._check_members(context)
        return self._group.pack(self._product(bodies, context.members, context))

    def decryption_share(
        self, key_share: KeyShare, hints: Sequence[bytes], context: Context, *, rng: Randomness
    ) -> bytes:
        """Answer (g^R)^(z_i s_i), g^R the product of the hints: one exponentiation a parameter.

        Raises:
            InvalidShare: a hint is malformed or no element of the group.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice, or is no point.
        """
        assert key_share.point in context.openers
        z = self._lagrange(context.openers)[key_share.point]
        exponent = z * int.from_bytes(key_share.secret, "big") % self._group.q
        hint = self._product(hints, context.members, context)
        return self._group.pack(self._group.raised(hint, exponent))

    def rebase(self, share: bytes, opener: PartyId, context: Context, openers: tuple[PartyId, ...]) -> bytes:
        """Raise a share to z' / z: from the coefficient among `context.openers` to that among `openers`.

        Raises:
            InvalidShare: the share is malformed or no element of the group.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice, or is no point.
        """
        before = self._lagrange(context.openers)[opener]
        after = self._lagrange(openers)[opener]
        exponent = after * invert(before, self._group.q) % self._group.q
        own = self._product([share], [opener], context)
        return self._group.pack(self._group.raised(own, exponent))

    def combine(self, body: bytes, shares: Mapping[PartyId, bytes], context: Context) -> Integers:
        """Divide the body by the product of the shares, and decode: shape (len(context.blocks), block).

        Raises:
            NotEnoughShares: the shares are not those of `context.openers`, or fewer than the threshold.
            InvalidShare: a share is malformed or no element of the group.
            OutOfRange: a row decodes to no sum of so many members (a share or a body is wrong).
        """
        self._check_members(context)
        if set(shares) != set(context.openers) or len(shares) < self.threshold:
            raise NotEnoughShares(
                f"shares of {sorted(shares)}, openers {sorted(context.openers)}, threshold {self.threshold}"
            )
        masks = self._product(list(shares.values()), list(shares), context)
        total = self._elements(body, self._rows(context), NOBODY)
        opened = self._group.multiply([total, self._group.inverses(masks)])
        return self._encoding.decode(opened, len(context.members)).reshape(-1, self.block)

    @property
    def _group(self) -> AnyGroup:
        return group(self.group)

    @property
    def _encoding(self) -> Lifted | Exponential:
        return encoding(self.encoding, self._group, self.fixed_point, self.members_limit)

    def _rows(self, context: Context) -> int:
        return len(context.blocks) * self.block

    def _check_members(self, context: Context) -> None:
        if len(context.members) > self.members_limit:
            raise OutOfRange(f"{len(context.members)} members, but sums fit for {self.members_limit} only")

    def _public_element(self, public_key: bytes) -> Any:
        h = self._elements(public_key, self.threshold, NOBODY)[:1]
        if not self._group.all_members(h):
            raise InvalidShare("the public key is no element of the group")
        return h

    def _lagrange(self, openers: Sequence[PartyId]) -> Mapping[PartyId, int]:
        if len(openers) < self.threshold:
            raise NotEnoughShares(f"{len(openers)} openers, threshold {self.threshold}")
        try:
            return shamir.lagrange_at_zero(openers, int(self._group.q))
        except ValueError as problem:
            # The manager names the openers, so this is a peer's fault and not a bug.
            raise SchemeError(f"these cannot open anything: {problem}") from None

    def _elements(self, packed: bytes, count: int, culprits: Sequence[PartyId]) -> Any:
        """Read exactly `count` elements; their ranges are checked, membership is not."""
        try:
            elements = self._group.unpack(packed)
        except ValueError as problem:
            raise InvalidShare(str(problem), culprits) from None
        if len(elements) != count:
            raise InvalidShare(f"{len(elements)} elements where {count} were due", culprits)
        return elements

    def _product(self, packed: Sequence[bytes], senders: Sequence[PartyId], context: Context) -> Any:
        """Multiply what the senders sent, row by row, and make sure that the products are elements.

        Raises:
            InvalidShare: with the senders of what is malformed or no element.
        """
        assert len(packed) == len(senders)
        rows = self._rows(context)
        columns = [self._elements(p, rows, [sender]) for p, sender in zip(packed, senders, strict=True)]
        products = self._group.multiply(columns)
        # Only the product is raised to a key, or decoded, so its test is the one that counts, and costs a
        # fraction of testing every factor: two alien factors whose flaws cancel do no harm. Factors are
        # tested one by one where somebody is to blame.
        if not self._group.all_members(products):
            culprits = [s for s, c in zip(senders, columns, strict=True) if not self._group.all_members(c)]
            raise InvalidShare(f"no element of {self.group}", culprits)
        return products
