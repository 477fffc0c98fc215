"""Importing torchvision beside a build of torch that it was not compiled for."""

import importlib
from functools import cache
from types import ModuleType

import torch

_OPERATORS = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision_datasets() -> ModuleType:
    """Import `torchvision.datasets`, declaring what the import needs and a foreign binary does not bring.

    The torchvision wheel is compiled against torch for CUDA. Beside a CPU build of torch its binary does
    not load, so its operators stay undeclared; but importing torchvision registers shape functions for two
    of them and fails with "operator torchvision::nms does not exist". Reading data sets needs no operator
    at all: declaring the two, without an implementation, is enough. Where torchvision imports by itself,
    nothing is declared.

    The import takes more than a second: call this only when a data set must be read through torchvision.

    Raises:
        ImportError: torchvision is not installed.
        RuntimeError: the import fails for another reason.
    """
    try:
        return importlib.import_module("torchvision.datasets")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    _declare_operators()
    return importlib.import_module("torchvision.datasets")


@cache
def _declare_operators() -> torch.library.Library:
    # The declarations live as long as the returned library does; the cache holds it, and keeps a second
    # call from declaring twice, which torch refuses.
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in _OPERATORS:
        library.define(name + _SIGNATURE)  # type: ignore[no-untyped-call]
    return library
