"""Every attack on every view, and how close it comes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mdl.audit.inversion.attacks import ATTACKS
from mdl.audit.inversion.labels import right
from mdl.audit.inversion.scores import Match, matches, psnr
from mdl.audit.inversion.seen import Seen
from mdl.audit.inversion.stage import model_of
from mdl.audit.inversion.target import NotApplicable, Pictures, Recovered, targeted
from mdl.audit.inversion.viewing import Point
from mdl.learning.dataset import Dataset
from mdl.learning.partition import Rows

GUESS = "guess"
"""No attack: the mean of the test images, which anybody has."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """One attack on one view.

    Attributes:
        attack: its name in `ATTACKS`, or `GUESS`.
        seen: the view.
        recovered: what came of it; None where it was not mounted.
        found: recovered images and the true ones they were assigned to, the best first.
        decibels: by true image: how close the recovered one comes, or that assigned to it; NaN where there
            was none left for it.
        labels_right: of the labels that it told, how many are right; None where it told none.
        reason: why it was not mounted, else empty.
    """

    attack: str
    seen: Seen
    recovered: Recovered | None
    found: Sequence[Match] = ()
    decibels: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    labels_right: int | None = None
    reason: str = ""


def mount(point: Point, seen: Seen, names: Sequence[str]) -> Iterator[Attempt]:
    """Mount attacks on a view, after the guess that they are to be held against.

    A view without a single image in it is left out: private training draws who takes part in a step.
    """
    if not len(seen.rows):
        return
    true = images(point.dataset, seen.rows)
    guess = _mean_image(point.dataset)
    yield _scored(GUESS, seen, Recovered(guess), true)
    for name in names:
        if ATTACKS[name].models_all and len(seen.rows) == 1:
            continue  # the same as for one image
        yield _attempt(point, seen, name, true)


def _attempt(point: Point, seen: Seen, name: str, true: Pictures) -> Attempt:
    attack, count = ATTACKS[name], len(seen.rows)
    if attack.limit is not None and count > attack.limit:
        return Attempt(
            name, seen, None, (), reason=f"{count} images at once; mounted on {attack.limit} at most"
        )
    model = model_of(point.experiment, point.dataset)
    target = targeted(model, seen.parameters, seen.gradient, seen.known, point.dataset.shape)
    if not seen.known.any():
        return Attempt(name, seen, None, reason="this role knows no entry of it")
    try:
        recovered = attack.run(target, count, point.experiment.seed)
    except NotApplicable as error:
        return Attempt(name, seen, None, reason=str(error))
    labels = None
    if recovered.labels is not None:
        labels = right(recovered.labels, point.dataset.train_labels[seen.rows].tolist())
    return _scored(name, seen, recovered, true, labels)


def _scored(
    name: str, seen: Seen, recovered: Recovered, true: Pictures, labels_right: int | None = None
) -> Attempt:
    found = matches(recovered.images, true)
    if len(recovered.images) == 1:
        (decibels,) = psnr(recovered.images, true)
    else:
        decibels = np.full(len(true), np.nan)
        for match in found:
            decibels[match.true] = match.decibels
    return Attempt(name, seen, recovered, found, decibels, labels_right)


def images(dataset: Dataset, rows: Rows) -> Pictures:
    """Give training images as the model sees them, pixels in [0, 1]."""
    return (dataset.train_images[rows] / np.float32(dataset.scale)).astype(np.float32)


def _mean_image(dataset: Dataset) -> Pictures:
    mean = dataset.test_images.mean(axis=0, keepdims=True, dtype=np.float64)
    return np.asarray(mean / dataset.scale, np.float32)
