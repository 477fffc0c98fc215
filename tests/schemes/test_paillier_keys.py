import pytest
from gmpy2 import mpz, powmod
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import InvalidShare
from mdl.schemes.integer_shares import IntegerSharing
from mdl.schemes.paillier_keys import KeyLayout
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.safe_primes import safe_prime

LAYOUT = KeyLayout(512, IntegerSharing(workers=5, threshold=3, secrets=4))
PUBLIC, SECRETS = LAYOUT.deal((1, 2, 3, 5), rng=insecure_seeded(0))
N_BYTES = 64


def changed(packed: bytes, place: int, change: int = 1) -> bytes:
    return packed[:place] + bytes([packed[place] ^ change]) + packed[place + 1 :]


def check(public: bytes, point: int, secret: bytes) -> None:
    LAYOUT.check(LAYOUT.read_public(public), point, secret)


def test_dealt_secrets_pass() -> None:
    for point, secret in SECRETS.items():
        check(PUBLIC, point, secret)


def test_keys_are_powers_of_what_the_shares_open() -> None:
    key = LAYOUT.read_public(PUBLIC)
    N, openers = key.modulus.n, (1, 3, 5)
    common, coefficients = LAYOUT.sharing.lagrange(openers)
    shares = [LAYOUT.read_secret(opener, SECRETS[opener])[1] for opener in openers]
    for place, h in enumerate(key.keys):
        secret = common * sum(z * share[place] for z, share in zip(coefficients, shares, strict=True))
        assert h == powmod(key.generator, 2 * N * secret, N * N)


@given(place=st.integers(0, len(SECRETS[2]) - 1), change=st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_a_damaged_secret_is_refused(place: int, change: int) -> None:
    with pytest.raises(InvalidShare):
        check(PUBLIC, 2, changed(SECRETS[2], place, change))


@given(place=st.integers(0, len(PUBLIC) - 1), change=st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_a_damaged_public_key_is_refused(place: int, change: int) -> None:
    with pytest.raises(InvalidShare):
        check(changed(PUBLIC, place, change), 2, SECRETS[2])


@pytest.mark.parametrize("point", [1, 3, 0, 6, -1])
def test_a_secret_of_another_point_is_refused(point: int) -> None:
    with pytest.raises(InvalidShare):
        check(PUBLIC, point, SECRETS[2])


def test_shares_that_changed_places_are_refused() -> None:
    width = (len(SECRETS[2]) - N_BYTES) // 4
    first, second = SECRETS[2][N_BYTES : N_BYTES + width], SECRETS[2][N_BYTES + width : N_BYTES + 2 * width]
    swapped = SECRETS[2][:N_BYTES] + second + first + SECRETS[2][N_BYTES + 2 * width :]
    with pytest.raises(InvalidShare):
        check(PUBLIC, 2, swapped)


@pytest.mark.parametrize("packed", [b"", PUBLIC[:-1], PUBLIC + b"\0"])
def test_a_public_key_of_another_length_is_refused(packed: bytes) -> None:
    with pytest.raises(InvalidShare, match="does not fit"):
        LAYOUT.read_public(packed)


@pytest.mark.parametrize("start", [N_BYTES, 2 * N_BYTES, 2 * N_BYTES + 4 * 2 * N_BYTES])
def test_a_public_key_with_what_is_no_unit_is_refused(start: int) -> None:
    """A multiple of p, though nobody could find one."""
    p = safe_prime(256, rng=insecure_seeded(0))
    width = 2 * N_BYTES if start == 2 * N_BYTES else N_BYTES
    assert mpz.from_bytes(PUBLIC[:N_BYTES], "big") % p == 0
    with pytest.raises(InvalidShare, match="no unit"):
        LAYOUT.read_public(PUBLIC[:start] + int(p).to_bytes(width, "big") + PUBLIC[start + width :])


@pytest.mark.parametrize("secret", [b"", SECRETS[2][:-1], SECRETS[2] + b"\0"])
def test_a_secret_of_another_length_is_refused(secret: bytes) -> None:
    with pytest.raises(InvalidShare, match="does not fit the scheme"):
        LAYOUT.read_secret(2, secret)


def test_a_share_larger_than_any_is_refused() -> None:
    layout = KeyLayout(512, IntegerSharing(workers=5, threshold=2, secrets=1))
    largest = (1 << layout.sharing.share_bits) - 1
    head, width = SECRETS[2][:N_BYTES], largest.bit_length() // 8 + 1
    assert layout.read_secret(2, head + largest.to_bytes(width, "big"))[1] == [largest]
    with pytest.raises(InvalidShare, match="larger than any"):
        layout.read_secret(2, head + (largest + 1).to_bytes(width, "big"))


@pytest.mark.parametrize("n", [(1 << 511) + 2, (1 << 510) + 1, 0])
def test_a_modulus_that_is_even_or_short_is_refused(n: int) -> None:
    with pytest.raises(InvalidShare, match="no modulus"):
        LAYOUT.read_modulus(n.to_bytes(N_BYTES, "big"), [3])
