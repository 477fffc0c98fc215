"""The attacks by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

import torch

from mdl.audit.inversion import analytic, geiping, idlg, joint
from mdl.audit.inversion.target import Recovered, Target

Run: TypeAlias = Callable[[Target, int, int], Recovered]
"""An attack on a target with so many images in it, with this seed."""


@dataclass(frozen=True)
class Attack:
    """One way to invert a gradient.

    Attributes:
        title: what it does, in a few words.
        by: who published it.
        models_all: whether it looks for all images of a sum; else it takes a sum for one image's gradient.
        limit: the most images it is mounted on; None for any number.
        run: mounts it.
    """

    title: str
    by: str
    models_all: bool
    limit: int | None
    run: Run


JOINT_LIMIT: Final = 32
"""Images that are looked for at once, at most: it takes seconds for each."""

ATTACKS: Final[Mapping[str, Attack]] = MappingProxyType(
    {
        "analytic": Attack(
            "dense layer, divided",
            "Phong et al. 2017",
            models_all=False,
            limit=None,
            run=lambda target, _images, _seed: analytic.one_image(target.of_type(torch.float64)),
        ),
        "idlg": Attack(
            "iDLG",
            "Zhao et al. 2020",
            models_all=False,
            limit=None,
            run=lambda target, _images, seed: idlg.one_image(target, seed=seed),
        ),
        "geiping": Attack(
            "cosine and smoothness",
            "Geiping et al. 2020",
            models_all=False,
            limit=None,
            run=lambda target, _images, seed: geiping.one_image(target, seed=seed),
        ),
        "rows": Attack(
            "dense layer, every row",
            "Phong et al. 2017, Boenisch et al. 2023",
            models_all=True,
            limit=None,
            run=lambda target, _images, _seed: analytic.every_row(target.of_type(torch.float64)),
        ),
        "joint": Attack(
            "all images at once",
            "Geiping et al. 2020, on batches",
            models_all=True,
            limit=JOINT_LIMIT,
            run=lambda target, images, seed: joint.all_images(target, images, seed=seed),
        ),
    }
)
"""By the name that the command line knows."""


def titled(name: str) -> str:
    """Say for a table which attack it is, by its name on the command line and in words."""
    return f"{name}: {ATTACKS[name].title}"
