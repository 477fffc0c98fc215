"""Prices are measured once, the least of some turns is taken, and widths are those of the print."""

from pathlib import Path

import pytest

from mdl.reproduction import costs
from mdl.reproduction.costs import BLOCK, TURNS, ours, printed, printed_widths
from tests.reproduction.sample import setting


def test_the_lowest_of_some_turns_is_the_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = iter([3.0, 30.0, 2.0, 20.0])

    def take(bits: int, members: int) -> dict[str, float]:
        assert bits == 256
        assert members in (2, 4)
        cost = next(measured)
        return {"encrypt": cost, "share": cost, "manager": cost}

    monkeypatch.setattr(costs, "_printed", take)
    schemes = printed(setting(tmp_path), [2, 4])
    assert {m: scheme.prices.encrypt for m, scheme in schemes.items()} == {2: 2.0, 4: 20.0}
    assert next(measured, None) is None
    assert len(list((tmp_path / "parts").iterdir())) == 2 * TURNS
    # Nothing is left to be measured, so nothing is.
    assert printed(setting(tmp_path), [2, 4])[4].prices == schemes[4].prices


def test_the_prices_of_the_print_rise_with_the_members(tmp_path: Path) -> None:
    schemes = printed(setting(tmp_path), [2, 8])
    few, many = schemes[2].prices, schemes[8].prices
    assert many.manager > 2 * few.manager
    assert all(price > 0 for price in (*few.to_json().values(), *many.to_json().values()))


@pytest.mark.parametrize("members", [2, 3, 5])
def test_the_printed_widths_make_four_elements_a_member(members: int) -> None:
    widths = printed_widths(2048, members)
    sent = widths.body + widths.hint + (members - 1) * widths.shown + widths.share
    assert sent == 4 * 256
    assert printed_widths(2048, 1).shown == 256


def test_our_scheme_costs_a_fraction_of_the_print(tmp_path: Path) -> None:
    mine = ours(setting(tmp_path), 8, 4)
    assert mine.widths.threshold == 4
    assert mine.widths.body < 5 * BLOCK
    assert mine.prices.encrypt < printed(setting(tmp_path), [4])[4].prices.encrypt / 10
