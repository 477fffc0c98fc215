import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes.prf import (
    INPUT_BYTES,
    KEY_BYTES,
    SALT_BYTES,
    WORDS,
    Prf,
    buffer_bytes,
    derive,
    inputs,
    new_salt,
    prfs,
    stream,
)
from mdl.schemes.randomness import insecure_seeded

KEY = bytes(range(KEY_BYTES))


def test_the_function_is_aes_as_in_fips_197() -> None:
    laid_out = np.frombuffer(bytes.fromhex("00112233445566778899aabbccddeeff"), np.uint8).reshape(1, -1)
    assert Prf(KEY).words(laid_out).tobytes().hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


def test_keys_are_derived_as_in_rfc_5869() -> None:
    key = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    assert derive(key, bytes(range(0xF0, 0xFA))).hex() == "3cb25f25faacd57a90434f64d0362f2a"


def test_streams_are_aes_in_counter_mode() -> None:
    counters = np.frombuffer(b"".join(n.to_bytes(16, "big") for n in range(3)), np.uint8).reshape(3, -1)
    assert stream(KEY, 40).tobytes() == Prf(KEY).words(counters).tobytes()[:40]


@given(infos=st.sets(st.binary(max_size=8), min_size=2, max_size=5))
def test_derived_keys_differ(infos: set[bytes]) -> None:
    derived = {derive(KEY, info) for info in infos}
    assert len(derived) == len(infos)
    assert {len(key) for key in derived} == {KEY_BYTES}


def test_an_input_is_salt_epoch_and_position() -> None:
    laid_out = inputs(b"saltsaltSALTSALT", 0x01020304, np.array([5, 0xFFFFFFFF]))
    assert laid_out.tobytes() == b"saltsalt\x04\x03\x02\x01\x05\0\0\0SALTSALT\x04\x03\x02\x01\xff\xff\xff\xff"


numbers = st.integers(0, (1 << 32) - 1)


@given(drawn=st.sets(st.tuples(st.binary(min_size=8, max_size=8), numbers, numbers), max_size=9))
def test_other_salts_epochs_or_positions_give_other_inputs(drawn: set[tuple[bytes, int, int]]) -> None:
    laid_out = {inputs(salt, epoch, np.array([position])).tobytes() for salt, epoch, position in drawn}
    assert len(laid_out) == len(drawn)


@pytest.mark.parametrize(
    ("epoch", "position"), [(1 << 32, 0), (-1, 0), (0, 1 << 32), (0, -1), (0, (1 << 63) - 1)]
)
def test_numbers_that_would_repeat_an_input_are_refused(epoch: int, position: int) -> None:
    with pytest.raises(ValueError, match="2\\^32"):
        inputs(bytes(SALT_BYTES), epoch, np.array([position], np.int64))


def test_no_inputs_have_no_words() -> None:
    nothing = inputs(b"", 1, np.array([], np.int64))
    assert nothing.shape == (0, INPUT_BYTES)
    assert len(Prf(KEY).words(nothing)) == 0


@given(count=st.integers(1, 50), spare=st.integers(0, 5))
def test_a_buffer_used_again_gives_the_same_words(count: int, spare: int) -> None:
    laid_out = inputs(bytes(SALT_BYTES * count), 1, np.arange(count))
    buffer = np.full(buffer_bytes(count + spare), 255, np.uint8)
    first, other = prfs([KEY, KEY[::-1]])
    fresh = first.words(laid_out)
    other.words(laid_out, buffer)
    reused = first.words(laid_out, buffer)
    np.testing.assert_array_equal(reused, fresh)
    assert np.shares_memory(reused, buffer)
    assert len(reused) == WORDS * count


def test_functions_of_other_keys_have_nothing_in_common() -> None:
    count = 4096
    laid_out = inputs(bytes(SALT_BYTES * count), 1, np.arange(count))
    words = [function.words(laid_out) for function in prfs([KEY, KEY[::-1]])]
    # Two words agree once in 2^32: in 16,384 places, with probability 2^-18.
    assert not (words[0] == words[1]).any()


def test_salts_are_drawn_afresh() -> None:
    rng = insecure_seeded(1)
    salts = {new_salt(rng) for _ in range(100)}
    assert len(salts) == 100
    assert {len(salt) for salt in salts} == {SALT_BYTES}


def test_keys_do_not_print() -> None:
    assert repr(Prf(b"secret__secret__")) == "Prf()"
