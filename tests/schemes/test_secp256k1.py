"""The curve, against an implementation of a few lines in Python's integers."""

from functools import reduce
from typing import TypeAlias

import numpy as np
import pytest
from gmpy2 import is_prime
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.schemes.groups import group
from mdl.schemes.prime_order import Exponents
from mdl.schemes.secp256k1 import FIELD, GENERATOR, ORDER, PlainPoint, Points, PointTable, Secp256k1

CURVE = Secp256k1()
P, Q = FIELD, int(ORDER)

Point: TypeAlias = tuple[int, int] | None
"""Affine; None is the neutral element."""

G: Point = (int.from_bytes(GENERATOR[1:33], "big"), int.from_bytes(GENERATOR[33:], "big"))

SCALARS = st.integers(0, Q - 1) | st.sampled_from([0, 1, 2, Q - 2, Q - 1, Q // 2, 1 << 255])


def plus(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    (x, y), (u, v) = one, other
    if x == u and (y + v) % P == 0:
        return None
    slope = 3 * x * x * pow(2 * y, -1, P) if one == other else (v - y) * pow(u - x, -1, P)
    w = (slope * slope - x - u) % P
    return w, (slope * (x - w) - y) % P


def times(scalar: int, point: Point = G) -> Point:
    if scalar < 0 and point is not None:
        return times(-scalar, (point[0], P - point[1]))
    bits = [point if digit == "1" else None for digit in f"{scalar:b}"]
    return reduce(lambda so_far, bit: plus(plus(so_far, so_far), bit), bits, None)


def wire(point: Point) -> bytes:
    return bytes(65) if point is None else b"\x04" + b"".join(z.to_bytes(32, "big") for z in point)


def powers(scalars: list[int]) -> Points:
    return CURVE.powers(CURVE.generator, Exponents(scalars))


def test_the_constants_are_those_of_the_curve() -> None:
    assert is_prime(P)
    assert is_prime(Q)
    assert G is not None
    assert (G[1] ** 2 - G[0] ** 3 - 7) % P == 0
    assert times(Q) is None
    assert plus(times(Q - 1), G) is None
    assert (CURVE.q, CURVE.nonce_bound, CURVE.security_bits, CURVE.insecure) == (Q, Q, 128, False)


def test_twice_the_generator_is_the_published_point() -> None:
    # SEC 2 gives g alone; 2 g is in every implementation's test vectors.
    assert CURVE.pack(powers([2])).hex() == (
        "04c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
        "1ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a"
    )


@given(scalars=st.lists(SCALARS, max_size=4))
@settings(deadline=None)
def test_powers_are_those_of_the_curve(scalars: list[int]) -> None:
    expected = b"".join(wire(times(scalar)) for scalar in scalars)
    assert CURVE.pack(powers(scalars)) == expected
    assert CURVE.unpack(expected).tobytes() == powers(scalars).tobytes()


@pytest.mark.parametrize("uses", [None, 1, 150, 400, 3000, 10**6])
@given(first=st.integers(-5, 5), scalars=st.lists(SCALARS, max_size=4))
@settings(max_examples=10, deadline=None)
def test_powers_from_any_table_are_powers(uses: int | None, first: int, scalars: list[int]) -> None:
    table = CURVE.power_table(CURVE.unpack(wire(times(12345))), range(first, first + Q), uses=uses)
    got = CURVE.power_products([(table, Exponents(scalars))])
    expected = b"".join(wire(times((first + scalar) * 12345 % Q)) for scalar in scalars)
    assert CURVE.pack(got) == expected


@pytest.mark.parametrize("first", [0, -1, -3, -128, -300])
def test_a_short_range_holds_the_neutral_element_like_every_other(first: int) -> None:
    count = -2 * first + 1
    table = CURVE.power_table(CURVE.generator, range(first, first + count))
    got = CURVE.power_products([(table, Exponents(range(count)))])
    assert got.tobytes() == powers([(first + i) % Q for i in range(count)]).tobytes()


def test_entries_of_a_table_are_never_neutral() -> None:
    for uses in (None, 150, 400, 3000):
        table = CURVE.power_table(CURVE.generator, range(Q), uses=uses)
        assert isinstance(table, PointTable)
        assert table.points.any(axis=1).all()


def test_a_table_is_made_where_it_pays_and_the_base_has_powers() -> None:
    assert isinstance(CURVE.power_table(CURVE.generator, range(Q), uses=20), PlainPoint)
    neutral = CURVE.power_table(powers([0]), range(Q))
    assert CURVE.power_products([(neutral, Exponents([0, 7]))]).tobytes() == powers([0, 0]).tobytes()


@given(a=SCALARS, b=SCALARS, uses=st.sampled_from([None, 1]))
@settings(max_examples=20, deadline=None)
def test_powers_of_several_bases_are_multiplied(a: int, b: int, uses: int | None) -> None:
    g, h = (CURVE.power_table(powers([base]), range(Q), uses=uses) for base in (1, 77))
    product = CURVE.power_products([(g, Exponents([a])), (h, Exponents([b]))])
    assert CURVE.pack(product) == wire(times((a + 77 * b) % Q))


@given(columns=st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=1, max_size=5))
@settings(deadline=None)
def test_products_are_those_of_the_curve_neutral_or_not(columns: list[list[int]]) -> None:
    product = CURVE.multiply([powers([value % Q for value in column]) for column in columns])
    sums = [sum(row) for row in zip(*columns, strict=True)]
    assert CURVE.pack(product) == b"".join(wire(times(total)) for total in sums)


@given(scalars=st.lists(SCALARS, min_size=1, max_size=3), exponent=SCALARS)
@settings(max_examples=20, deadline=None)
def test_inverses_and_powers_of_many_bases(scalars: list[int], exponent: int) -> None:
    points = powers(scalars)
    assert not CURVE.multiply([points, CURVE.inverses(points)]).any()
    raised = powers([scalar * exponent % Q for scalar in scalars])
    assert CURVE.raised(points, exponent).tobytes() == raised.tobytes()
    assert points.tobytes() == powers(scalars).tobytes()


def test_every_second_point_is_a_vector_too() -> None:
    points = powers([1, 2, 0, 4, 5, 6])[::2]
    assert CURVE.pack(points) == CURVE.pack(powers([1, 0, 5]))
    assert CURVE.multiply([points, points]).tobytes() == powers([2, 0, 10]).tobytes()
    assert CURVE.raised(points, 3).tobytes() == powers([3, 0, 15]).tobytes()


def altered(place: int, byte: int, point: Point = G) -> bytes:
    packed = bytearray(wire(point))
    packed[place] = byte
    return bytes(packed)


@pytest.mark.parametrize(
    ("packed", "complaint"),
    [
        (wire(G)[:-1], "whole number"),
        (altered(64, 0), "not on secp256k1"),
        (b"\x04" + P.to_bytes(32, "big") * 2, "not on secp256k1"),
        (b"\x04" + bytes(64), "not on secp256k1"),
        (altered(0, 6), "not in the form"),  # SEC 1's hybrid form, which the library would read
        (altered(64, 1, None), "not in the form"),
        (b"\x02" + wire(G)[1:33] + bytes(32), "not in the form"),
    ],
)
def test_what_is_no_point_in_its_one_form_is_refused(packed: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CURVE.unpack(packed)


def test_no_points_are_a_vector_too() -> None:
    nothing = CURVE.unpack(b"")
    assert CURVE.pack(nothing) == b""
    assert len(CURVE.keys(nothing)) == len(CURVE.multiply([nothing, nothing])) == 0


def test_keys_of_powers_are_the_low_bits_of_y() -> None:
    points = [times(v) for v in range(-300, 301)]
    expected = [point[1] & (1 << 64) - 1 if point else 0 for point in points]
    assert CURVE.keys_of_powers(300).tolist() == expected
    assert CURVE.keys(powers([v % Q for v in range(-300, 301)])).tolist() == expected


def test_keys_of_many_powers_are_found_in_pieces() -> None:
    bound = (1 << 16) + 5
    keys = CURVE.keys_of_powers(bound)
    some = [-bound, -(1 << 16) - 1, -(1 << 16), 1 << 16, (1 << 16) + 1, bound]
    assert keys[np.array(some) + bound].tolist() == CURVE.keys(powers([v % Q for v in some])).tolist()
    assert len(np.unique(keys)) == 2 * bound + 1


def test_the_curve_is_found_by_its_name() -> None:
    assert group("secp256k1") == CURVE
    assert hash(group("secp256k1")) == hash(CURVE)
    assert "elliptic curve" in CURVE.description


def test_a_table_does_not_print_its_entries() -> None:
    assert len(repr(CURVE.power_table(CURVE.generator, range(Q)))) < 100
