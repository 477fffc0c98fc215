"""Images from the gradient of a dense first layer, by division.

Of one image x, row r of the weights has the gradient δ_r·x, and its bias δ_r: their quotient is the image
("Privacy-Preserving Deep Learning via Additively Homomorphic Encryption", Phong et al., 2017, §III; with
rectifiers and many images every row on its own: "When the Curious Abandon Honesty", Boenisch et al., 2023).
"""

from dataclasses import dataclass

import torch
from torch import nn

from mdl.audit.inversion.target import NotApplicable, Recovered, Target, pictures


def one_image(target: Target) -> Recovered:
    """Take the gradient for that of a single image: the x that fits all rows best, Σ b_r·W_r / Σ b_r².

    Raises:
        NotApplicable: the model does not begin with a dense layer, or nothing is known of it.
    """
    layer = _first_layer(target)
    weight, bias = layer.weight, layer.bias[:, None]
    held = torch.where(layer.known, bias, 0.0)
    size = held.square().sum(0)
    image = torch.where(size > 0, (held * weight).sum(0) / size, 0.0)
    return Recovered(pictures(layer.images(image[None], target)))


def every_row(target: Target) -> Recovered:
    """Take every row for that of one image: as many candidates as rows whose bias has a gradient.

    Whose rectifier only one image passes gives that image, however many are in the mean.

    Raises:
        NotApplicable: the model does not begin with a dense layer, or nothing is known of it.
    """
    layer = _first_layer(target)
    some = layer.bias != 0
    if not some.any():
        raise NotApplicable("no row of the first layer has a gradient")
    quotients = layer.weight[some] / layer.bias[some, None]
    return Recovered(pictures(layer.images(torch.where(layer.known[some], quotients, 0.0), target)))


@dataclass(frozen=True, eq=False)
class _Layer:
    """Gradients of the first layer, and which pixel each of its inputs is.

    Attributes:
        weight: shape (rows, inputs).
        bias: shape (rows,).
        known: where both weight and bias were seen, shape (rows, inputs).
        inputs: of each pixel the place among the inputs, shape (pixels,).
    """

    weight: torch.Tensor
    bias: torch.Tensor
    known: torch.Tensor
    inputs: torch.Tensor

    def images(self, rows: torch.Tensor, target: Target) -> torch.Tensor:
        """Turn rows of inputs into images."""
        return rows[:, self.inputs].view(-1, *target.shape)


def _first_layer(target: Target) -> _Layer:
    first = next(iter(target.parameters))
    layers = [module for module in target.model.modules() if isinstance(module, nn.Linear)]
    found = [layer for layer in layers if layer.weight is first and layer.bias is not None]
    if not found or target.parameters[1] is not found[0].bias:
        raise NotApplicable("the model's first layer is not a dense one with a bias")
    inputs = _places_of_pixels(target, found[0])
    (weight, bias), (known_weight, known_bias) = target.gradient[:2], target.known[:2]
    known = known_weight & known_bias[:, None]
    if not known.any():
        raise NotApplicable("nothing of the first layer was seen")
    return _Layer(weight, torch.where(known_bias, bias, 0.0), known, inputs)


def _places_of_pixels(target: Target, layer: nn.Linear) -> torch.Tensor:
    """Find each pixel among the layer's inputs, by showing the model an image whose pixels are numbered."""
    pixels = int(torch.Size(target.shape).numel())
    numbered = torch.arange(1, pixels + 1, dtype=layer.weight.dtype).view(1, *target.shape)
    shown: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0].reshape(-1)))
    try:
        with torch.no_grad():
            target.model(numbered)
    finally:
        hook.remove()
    inputs = shown[0]
    places = torch.zeros(pixels + 1, dtype=torch.int64)
    whole = inputs.round().clamp(0, pixels).to(torch.int64)
    places[whole] = torch.arange(len(inputs))
    if not torch.equal(inputs[places[1:]], numbered.view(-1)):
        raise NotApplicable("the first layer's inputs are not the image's pixels")
    return places[1:]
