"""Threshold ElGamal [ElGamal85; Zhang, Ji, Wang, Wang, ICDCS 2017, §III-D and Algorithms 1 to 3].

A parameter is c = M * h^r beside its hint g^r, with M from `mdl.schemes.encodings`. Over an active set the
bodies multiply to prod(M) * h^R and the hints to g^R, R the sum of the nonces. An opener i answers
(g^R)^(z_i s_i): s_i is its share of the key and z_i its Lagrange coefficient among the openers. The answers
multiply to g^(R s) = h^R, and what is left is prod(M).

Where the paper's text is departed from, and why:

- The key and its shares live in Z_q, not Z_p: they are exponents.
- The opener multiplies the hints itself and folds z_i into its exponent: the manager raises nothing to a
  power. (In the naive form it does.)
- Any `threshold` workers open a sum; they need not be its members.
- exp(gradient) is used in safe-prime groups only. In a Schnorr group c^q = M^q, which tells the gradient.

Every nonce is drawn afresh: two ciphertexts under one nonce and key divide to M / M', the difference of two
gradients. How many keys and nonces there are is the form's to say (`mdl.schemes.elgamal_forms`).

It rests on the decisional Diffie-Hellman assumption in the group (with short exponents where nonces are
short). Any `threshold` shares open a sum, fewer tell nothing about it; `threshold` workers together, or the
authority, could open everything. Nothing shows that a body or a share was made as it should be: an altered
one gives a product that is no sum and is refused, but for a chance of (possible sums) / q in the lifted
encoding and a large one in a tight exponential encoding. Whoever knows what it does can shift a sum: times
g^1 is plus 1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.party import PartyId
from mdl.schemes import shamir
from mdl.schemes.elgamal_forms import FORMS, Form, FormName
from mdl.schemes.encodings import EncodingName, Exponential, Lifted, encoding
from mdl.schemes.fixed_point import FixedPoint, outside
from mdl.schemes.groups import group
from mdl.schemes.prime_order import AnyGroup
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
        form: how many keys and nonces there are (`mdl.schemes.elgamal_forms`).

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
    form: FormName = "single"

    def __post_init__(self) -> None:
        if min(self.block, self.threshold, self.members_limit) < 1:
            raise ValueError(f"block, threshold and members_limit must be at least 1: {self}")
        if self.form == "grid" and self.block < 2:
            raise ValueError("a grid has blocks of 2 parameters or more")
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
        """An element for each nonce: one a parameter, or one a block in a grid."""
        return self._form.hints(self.block) * self._group.element_bytes

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
            The public key, which is h = g^{θ_0} and Feldman's other commitments g^{θ_1} ... g^{θ_{m-1}}, for
            each key side by side; and a share of every key for each point.

        Raises:
            NotEnoughShares: fewer points than the threshold: nobody could ever open anything.
            ValueError: a point is not in [1, q), or occurs twice.
        """
        if len(points) < self.threshold:
            raise NotEnoughShares(f"{len(points)} key shares cannot reach a threshold of {self.threshold}")
        chosen, q = self._group, int(self._group.q)
        polynomials = [shamir.polynomial(self.threshold, q, rng=rng) for _ in range(self._keys)]
        dealt = [shamir.shares(polynomial, points, q) for polynomial in polynomials]
        shares = {
            point: KeyShare(point, b"".join([s[point].to_bytes(chosen.scalar_bytes, "big") for s in dealt]))
            for point in points
        }
        return chosen.pack(shamir.commit(chosen, polynomials)), shares

    def check_key_share(self, public_key: bytes, share: KeyShare) -> None:
        """Verify one's own key share against the public key's commitments.

        Raises:
            InvalidShare: it does not lie on the committed polynomial, or one of the two is malformed.
        """
        commitments = self._elements(public_key, self.threshold * self._keys, NOBODY)
        secrets = self._secrets(share)
        well_formed = (
            len(share.secret) == self._keys * self._group.scalar_bytes
            and all(secret < self._group.q for secret in secrets)
            and 0 < share.point < self._group.q
            and self._group.all_members(commitments)
        )
        if not (well_formed and shamir.lie_on(self._group, commitments, share.point, secrets)):
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
        """Encrypt each entry as c = M * h^r and give g^r; shape (len(context.blocks), block).

        Raises:
            OutOfRange: an entry is outside ±fixed_point.limit.
            InvalidShare: the public key is malformed.
        """
        assert plaintext.shape == (len(context.blocks), self.block)
        if outside(plaintext, self.fixed_point.limit):
            raise OutOfRange(f"an entry is outside ±{self.fixed_point.limit}")
        return self._form.encrypt(self._encoding, self._public_elements(public_key), plaintext, rng=rng)

    def add(self, bodies: Sequence[bytes], context: Context) -> bytes:
        """Multiply the members' bodies, row by row.

        Raises:
            InvalidShare: a body is malformed or no element of the group.
            OutOfRange: more members than members_limit.
        """
        self._check_members(context)
        return self._group.pack(self._product(bodies, context.members, self._rows(context)))

    def decryption_share(
        self, key_share: KeyShare, hints: Sequence[bytes], context: Context, *, rng: Randomness
    ) -> bytes:
        """Answer (g^R)^(z_i s_i), g^R the product of the hints: one exponentiation a parameter.

        Raises:
            InvalidShare: a hint is malformed, no element of the group, or unsafe to answer for.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice, or is no point; or a block is asked for twice.
        """
        assert key_share.point in context.openers
        if len(set(context.blocks)) < len(context.blocks):
            raise SchemeError("asked to answer for a block twice")
        z = self._lagrange(context.openers)[key_share.point]
        count = len(context.blocks) * self._form.hints(self.block)
        hint = self._product(hints, context.members, count)
        if self._form.one_block_a_nonce:
            self._refuse_repeats(hints, context.members)
        return self._form.answer(self._group, hint, self._secrets(key_share), z)

    def rebase(self, share: bytes, opener: PartyId, context: Context, openers: tuple[PartyId, ...]) -> bytes:
        """Raise a share to z' / z: from the coefficient among `context.openers` to that among `openers`.

        Raises:
            InvalidShare: the share is malformed or no element of the group.
            NotEnoughShares: fewer openers than the threshold.
            SchemeError: an opener is named twice, or is no point.
        """
        before = self._lagrange(context.openers)[opener]
        after = self._lagrange(openers)[opener]
        own = self._product([share], [opener], self._rows(context))
        return self._group.pack(self._form.rebased(self._group, own, before, after))

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
        z = self._lagrange(context.openers)
        masks = self._product(
            [shares[opener] for opener in context.openers],
            context.openers,
            self._rows(context),
            lambda columns: self._form.masks(self._group, columns, [z[opener] for opener in context.openers]),
        )
        total = self._elements(body, self._rows(context), NOBODY)
        opened = self._group.multiply([total, self._group.inverses(masks)])
        return self._encoding.decode(opened, len(context.members)).reshape(-1, self.block)

    @property
    def _group(self) -> AnyGroup:
        return group(self.group)

    @property
    def _encoding(self) -> Lifted | Exponential:
        return encoding(self.encoding, self._group, self.fixed_point, self.members_limit)

    @property
    def _form(self) -> Form:
        return FORMS[self.form]

    @property
    def _keys(self) -> int:
        return self._form.keys(self.block)

    def _rows(self, context: Context) -> int:
        return len(context.blocks) * self.block

    def _check_members(self, context: Context) -> None:
        if len(context.members) > self.members_limit:
            raise OutOfRange(f"{len(context.members)} members, but sums fit for {self.members_limit} only")

    def _public_elements(self, public_key: bytes) -> Any:
        h = self._elements(public_key, self.threshold * self._keys, NOBODY)[: self._keys]
        if not self._group.all_members(h):
            raise InvalidShare("the public key is no element of the group")
        return h

    def _secrets(self, share: KeyShare) -> list[int]:
        width = self._group.scalar_bytes
        cut = [share.secret[i * width : (i + 1) * width] for i in range(self._keys)]
        return [int.from_bytes(secret, "big") for secret in cut]

    def _lagrange(self, openers: Sequence[PartyId]) -> Mapping[PartyId, int]:
        if len(openers) < self.threshold:
            raise NotEnoughShares(f"{len(openers)} openers, threshold {self.threshold}")
        try:
            return shamir.lagrange_at_zero(openers, int(self._group.q))
        except ValueError as problem:
            # The manager names the openers, so this is a peer's fault and not a bug.
            raise SchemeError(f"these cannot open anything: {problem}") from None

    def _refuse_repeats(self, hints: Sequence[bytes], members: Sequence[PartyId]) -> None:
        width = self._group.element_bytes
        culprits = [
            member
            for member, packed in zip(members, hints, strict=True)
            if len({packed[i : i + width] for i in range(0, len(packed), width)}) * width < len(packed)
        ]
        if culprits:
            raise InvalidShare("two blocks under one nonce", culprits)

    def _elements(self, packed: bytes, count: int, culprits: Sequence[PartyId]) -> Any:
        """Read exactly `count` elements; their ranges are checked, membership is not."""
        try:
            elements = self._group.unpack(packed)
        except ValueError as problem:
            raise InvalidShare(str(problem), culprits) from None
        if len(elements) != count:
            raise InvalidShare(f"{len(elements)} elements where {count} were due", culprits)
        return elements

    def _product(
        self,
        packed: Sequence[bytes],
        senders: Sequence[PartyId],
        count: int,
        multiply: Callable[[Sequence[Any]], Any] | None = None,
    ) -> Any:
        """Multiply what the senders sent, `count` elements each, and make sure that products are elements.

        Raises:
            InvalidShare: with the senders of what is malformed or no element.
        """
        assert len(packed) == len(senders)
        columns = [self._elements(p, count, [sender]) for p, sender in zip(packed, senders, strict=True)]
        products = (multiply or self._group.multiply)(columns)
        # Only the product is raised to a key, or decoded, so its test is the one that counts, and costs a
        # fraction of testing every factor: two alien factors whose flaws cancel do no harm. Factors are
        # tested one by one where somebody is to blame.
        if not self._group.all_members(products):
            culprits = [s for s, c in zip(senders, columns, strict=True) if not self._group.all_members(c)]
            raise InvalidShare(f"no element of {self.group}", culprits)
        return products
