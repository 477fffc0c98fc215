"""Models as a user would bring them, sound and unsound ones."""

from importlib import import_module
from typing import cast

import torch
from torch import nn

NOT_CALLABLE = 3


class Normalised(nn.Module):
    """For 8x8 digits, with dropout, batch normalisation and a frozen layer."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(64, 16)
        self.frozen.requires_grad_(False)
        self.normal = nn.BatchNorm1d(16)
        self.dropout = nn.Dropout(0.5)
        self.scores = nn.Linear(16, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.normal(self.frozen(images.flatten(1))).relu()
        scores: torch.Tensor = self.scores(self.dropout(hidden))
        return scores


class Sulking(nn.Module):
    """For 8x8 digits, with batch normalisation; does not train."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            raise ValueError("of its own")
        scores: torch.Tensor = self.layers(images)
        return scores


class Dropping(nn.Module):
    """For 8x8 digits, with dropout; the same at the start whenever it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.layers(images)
        return scores


def seven_classes() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))


def pair() -> nn.Module:
    class Pair(nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return images, images

    return Pair()


def needs_more_pixels() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(65, 10))


def not_a_module() -> str:
    return "network"


def fails() -> nn.Module:
    raise KeyError("layers")


def lacks_a_package() -> nn.Module:
    return cast(nn.Module, import_module("a_package_that_nobody_has").Net())
