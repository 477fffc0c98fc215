"""The attacks by name."""

import pytest
import torch

from mdl.audit.inversion.attacks import ATTACKS
from mdl.audit.inversion.scores import matches
from mdl.learning.models import digits_mlp
from tests.audit.inversion.digits import images, target_of


@pytest.mark.parametrize("name", ["analytic", "idlg", "rows"])
def test_each_works_on_one_image(name: str) -> None:
    torch.manual_seed(0)
    x, y = images(30)
    found = ATTACKS[name].run(target_of(digits_mlp((1, 8, 8), 10), x, y), 1, 0)
    assert matches(found.images, x)[0].decibels > 25
