import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes import mersenne
from mdl.schemes.mersenne import PRIME

EDGES = [0, 1, PRIME - 1, PRIME, PRIME + 1, 1 << 31, (1 << 32) - 2, (1 << 32) - 1, (1 << 61), (1 << 62) - 1]
integers = st.integers(-(1 << 62) + 1, (1 << 62) - 1) | st.sampled_from([*EDGES, *(-edge for edge in EDGES)])
residues = st.integers(0, PRIME - 1) | st.sampled_from([0, 1, PRIME // 2, PRIME // 2 + 1, PRIME - 1])


@given(values=st.lists(integers, max_size=20))
def test_integers_are_reduced_as_python_does(values: list[int]) -> None:
    reduced = mersenne.residues(np.array(values, np.int64))
    assert reduced.tolist() == [value % PRIME for value in values]
    assert reduced.dtype == np.uint32


@given(values=st.lists(residues, min_size=1, max_size=20), factor=residues)
def test_products_are_exact(values: list[int], factor: int) -> None:
    product = mersenne.times(np.array(values, np.uint32), factor)
    assert product.tolist() == [value * factor % PRIME for value in values]


@given(columns=st.lists(st.tuples(residues, residues), min_size=1, max_size=9))
def test_columns_are_added_entry_by_entry(columns: list[tuple[int, int]]) -> None:
    total = mersenne.add([np.array(column, np.uint32) for column in columns])
    assert total.tolist() == [sum(entries) % PRIME for entries in zip(*columns, strict=True)]


@given(value=residues)
def test_a_centred_residue_is_the_one_nearest_to_zero(value: int) -> None:
    (centred,) = mersenne.centred(np.array([value], np.uint32)).tolist()
    assert centred % PRIME == value
    assert abs(centred) <= PRIME // 2
