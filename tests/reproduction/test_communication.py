"""Bytes at the transport are those of the printed formulas."""

import pytest

from mdl.reproduction import communication
from mdl.reproduction.communication import COMMUNICATION, ELEMENT, FRAMING, OURS, PRINTED_C, PRINTED_D, count
from mdl.reproduction.figure import Data, Row


@pytest.mark.parametrize("members", [2, 3])
def test_the_printed_conversation_has_four_elements_a_member(
    members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(communication, "_parameters", lambda _: 1_000)
    elements = 4 * members * 1_000 * ELEMENT
    assert elements <= count(PRINTED_C, members) <= elements * (1 + FRAMING)


def test_shares_on_arrival_cost_m_squared_and_three_m(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(communication, "_parameters", lambda _: 60)
    elements = (2 * 2 + 3 * 2) * 60 * ELEMENT
    assert elements <= count(PRINTED_D, 2) <= elements * (1 + FRAMING)


def rows(beyond: float) -> list[Row]:
    bytes_ = {name: of(2) * 100 * ELEMENT * (1 + beyond) for name, (_, of) in communication.ELEMENTS.items()}
    return [
        {
            "conversation": name,
            "members": 2,
            "parameters": 100,
            "bytes": size,
            "elements": communication.ELEMENTS[name][1](2),
            "bytes_a_parameter": size / 100,
        }
        for name, size in bytes_.items()
    ]


@pytest.mark.parametrize(("beyond", "held"), [(0.01, True), (0.03, False), (-0.01, False)])
def test_more_framing_or_too_few_bytes_are_found_out(beyond: float, held: bool) -> None:
    checks = COMMUNICATION.checks(Data(rows(beyond), {}, "computed"))
    assert {check.holds for check in checks} == {held}
    assert all(OURS not in check.expected for check in checks)
