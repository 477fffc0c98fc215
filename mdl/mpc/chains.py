"""Networks of torch that are their layers, one after the other, and nothing besides.

What is computed layer by layer is another network than torch's where a module does something of its own.
"""

from collections.abc import Iterator
from typing import Final

from torch import nn

_HOOKS: Final = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")

_OURS: Final = ("torch.nn.modules.", "mdl.activations")


def layers(network: nn.Sequential) -> Iterator[tuple[str, nn.Module]]:
    """Give the layers with their names, those of nested sequences too; one that stands twice comes twice."""
    for name, layer in network.named_modules(remove_duplicate=False):
        if not name or "." in name:
            continue
        if isinstance(layer, nn.Sequential):
            yield from ((f"{name}.{inner}", leaf) for inner, leaf in layers(layer))
        else:
            yield name, layer


def oddities(network: nn.Sequential) -> Iterator[str]:
    """Say what a network is besides its layers, or which of these are not what their class says."""
    for name, module in network.named_modules(remove_duplicate=False):
        what = f"{f'its layer {name}' if name else 'it'} is a {type(module).__name__}"
        known = next(each for each in type(module).__mro__ if each.__module__.startswith(_OURS))
        if any(getattr(module, hooks) for hooks in _HOOKS):
            yield f"{what} with hooks"
        elif known is nn.Sequential:
            if type(module).forward is not nn.Sequential.forward:
                yield f"{what} with a forward of its own"
        elif type(module) is not known is not nn.Module:
            yield f"{what}, which need not compute what a {known.__name__} does"
