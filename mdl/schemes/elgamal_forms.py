"""The forms of threshold ElGamal: how many keys and nonces there are, and who raises what.

*Single* draws a nonce for every parameter, under one key; powers of g and h come from tables that are kept.

*Naive* is the same layout by the exponentiations that are printed [∝MDL, Algorithms 2 and 3] and no others,
without tables: g^r and h^r by each member, R^s by each opener, and z_i by the manager. It is the baseline.
(The print raises g^r to z_i before the openers raise it to s_i. Here the manager raises what they answer:
equally many powers, the same product.)

*Grid* has a key h_k for every position k in a block and one nonce r_b for every block b: the hint is g^{r_b}
alone, and position k is c = M * h_k^{r_b}. Every base is now raised many times, so that a table pays although
it is thrown away: h_k for all blocks of a call, R_b for all keys. Small tables, used at once, stay in the
cache; a kept table for every h_k would not.

Why a grid is sound: it is ElGamal for many recipients with the randomness used again for each [BBS03]. Under
DDH the elements h_k^{r_b} cannot be told from random ones, given all g^{s_k} and g^{r_b}, by whoever lacks
the keys. Two conditions go with it:

- The keys are independent and honestly made. Under one key for all positions, c_k / c_l = M_k / M_l; any
  other known linear relation of the keys tells the same relation of the plaintexts.
- A pair of key and nonce serves one plaintext and is opened once, for one set. Two openings for different
  sets divide to the mask of what one has and the other has not. The scheme draws nonces afresh, none twice in
  a call, and answers for no block and no nonce twice in a call; what passes between calls is for
  `mdl.protocols.opening`.

[BBS03] M. Bellare, A. Boldyreva, J. Staddon, Randomness re-use in multi-recipient encryption schemes,
PKC 2003.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, TypeAlias

import numpy as np
from gmpy2 import invert

from mdl.errors import SchemeError
from mdl.schemes.encodings import Exponential, Lifted
from mdl.schemes.fixed_base import kept_table
from mdl.schemes.prime_order import AnyGroup, Exponents
from mdl.schemes.threshold import Ciphertext
from mdl.system import Randomness
from mdl.vectors import Integers

FormName: TypeAlias = Literal["single", "grid", "naive"]

AnyEncoding: TypeAlias = Lifted | Exponential


class Form(ABC):
    """The steps in which forms differ. Vectors are the group's; a block's elements stand side by side.

    Attributes:
        one_block_a_nonce: whether a nonce hides a whole block: no two of a member's hints may then be equal.
    """

    one_block_a_nonce: ClassVar[bool] = False

    @abstractmethod
    def keys(self, block: int) -> int:
        """How many keys are dealt for blocks of so many parameters."""

    @abstractmethod
    def hints(self, block: int) -> int:
        """How many elements the hint of a block has."""

    @abstractmethod
    def encrypt(self, encoding: AnyEncoding, h: Any, plaintext: Integers, *, rng: Randomness) -> Ciphertext:
        """Encrypt rows of shape (blocks, block), all in range, under the public keys h."""

    @abstractmethod
    def answer(self, group: AnyGroup, hint: Any, secrets: Sequence[int], z: int) -> bytes:
        """Make a decryption share from the product of the hints, with one's shares of all keys."""

    def rebased(self, group: AnyGroup, share: Any, before: int, after: int) -> Any:
        """Turn a share that was made with the coefficient `before` into that for `after`."""
        return group.raised(share, int(after * invert(before, group.q) % group.q))

    def masks(self, group: AnyGroup, shares: Sequence[Any], coefficients: Sequence[int]) -> Any:
        """Put the openers' shares together."""
        return group.multiply(shares)


class Single(Form):
    """One key, a nonce a parameter."""

    def keys(self, block: int) -> int:
        """See `Form`."""
        return 1

    def hints(self, block: int) -> int:
        """See `Form`."""
        return block

    def encrypt(self, encoding: AnyEncoding, h: Any, plaintext: Integers, *, rng: Randomness) -> Ciphertext:
        """See `Form`: two powers from tables for each parameter."""
        group, nonces = encoding.group, _nonces(encoding.group, plaintext.size, rng)
        hints = group.power_products([(_kept(group, group.generator), nonces)])
        bodies = encoding.masked(plaintext.reshape(-1), _kept(group, h), nonces)
        return Ciphertext(body=group.pack(bodies), hint=group.pack(hints))

    def answer(self, group: AnyGroup, hint: Any, secrets: Sequence[int], z: int) -> bytes:
        """See `Form`: (g^R)^(z s), one power a parameter."""
        (secret,) = secrets
        return group.pack(group.raised(hint, int(z * secret % group.q)))


class Naive(Form):
    """The layout of `Single`, by plain exponentiations."""

    def keys(self, block: int) -> int:
        """See `Form`."""
        return 1

    def hints(self, block: int) -> int:
        """See `Form`."""
        return block

    def encrypt(self, encoding: AnyEncoding, h: Any, plaintext: Integers, *, rng: Randomness) -> Ciphertext:
        """See `Form`: two powers for each parameter (Algorithm 3, line 8)."""
        group, nonces = encoding.group, _nonces(encoding.group, plaintext.size, rng)
        hints = group.powers(group.generator, nonces)
        masks = group.powers(h, nonces)
        bodies = group.multiply([encoding.elements(plaintext.reshape(-1)), masks])
        return Ciphertext(body=group.pack(bodies), hint=group.pack(hints))

    def answer(self, group: AnyGroup, hint: Any, secrets: Sequence[int], z: int) -> bytes:
        """See `Form`: (g^R)^s, one power a parameter (Algorithm 3, line 11)."""
        (secret,) = secrets
        return group.pack(group.raised(hint, secret))

    def rebased(self, group: AnyGroup, share: Any, before: int, after: int) -> Any:
        """Change nothing: these shares know no coefficient."""
        return share

    def masks(self, group: AnyGroup, shares: Sequence[Any], coefficients: Sequence[int]) -> Any:
        """See `Form`: a power for each parameter and opener (Algorithm 2, lines 7 to 10)."""
        return group.multiply([group.raised(d, z) for d, z in zip(shares, coefficients, strict=True)])


class Grid(Form):
    """A key a position, a nonce a block."""

    one_block_a_nonce: ClassVar[bool] = True

    def keys(self, block: int) -> int:
        """See `Form`."""
        return block

    def hints(self, block: int) -> int:
        """See `Form`."""
        return 1

    def encrypt(self, encoding: AnyEncoding, h: Any, plaintext: Integers, *, rng: Randomness) -> Ciphertext:
        """See `Form`: a power for each parameter, position by position, and one for each block.

        Raises:
            SchemeError: the randomness gave one nonce twice.
        """
        group, (blocks, block) = encoding.group, plaintext.shape
        nonces = _nonces(group, blocks, rng)
        if len(set(nonces)) < blocks:
            raise SchemeError("two blocks would have the same nonce: the randomness is broken")
        hints = group.power_products([(_kept(group, group.generator), nonces)])
        columns = []
        for k in range(block):
            base = group.power_table(h[k : k + 1], range(group.nonce_bound), uses=blocks)
            columns.append(group.pack(encoding.masked(plaintext[:, k], base, nonces)))
        return Ciphertext(body=_by_block(columns, blocks), hint=group.pack(hints))

    def answer(self, group: AnyGroup, hint: Any, secrets: Sequence[int], z: int) -> bytes:
        """See `Form`: R_b^(z s_k), one power a parameter, block by block."""
        exponents = Exponents([int(z * secret % group.q) for secret in secrets])
        rows = []
        for b in range(len(hint)):
            base = group.power_table(hint[b : b + 1], range(int(group.q)), uses=len(secrets))
            rows.append(group.pack(group.power_products([(base, exponents)])))
        return b"".join(rows)


FORMS: Final[Mapping[FormName, Form]] = {"single": Single(), "grid": Grid(), "naive": Naive()}


def _nonces(group: AnyGroup, count: int, rng: Randomness) -> Exponents:
    return Exponents([rng.below(group.nonce_bound) for _ in range(count)])


def _kept(group: AnyGroup, base: Any) -> Any:
    return kept_table(group, group.pack(base), range(group.nonce_bound))


def _by_block(columns: Sequence[bytes], blocks: int) -> bytes:
    """Turn columns, one a position, into rows, one a block."""
    elements = np.frombuffer(b"".join(columns), np.uint8).reshape(len(columns), blocks, -1)
    return elements.transpose(1, 0, 2).tobytes()
