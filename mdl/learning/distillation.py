"""Learning from another model's answers beside the labels: the loss of deep mutual learning.

[HVD15] G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015: softened scores,
and T² on their divergence, so that its gradient keeps its size whatever T is.
[ZXHL18] Y. Zhang, T. Xiang, T. M. Hospedales, H. Lu, Deep mutual learning, CVPR 2018: two networks that learn
at the same time teach each other, equations 3 to 5.
"""

import torch
from torch.nn import functional

from mdl.learning.descent import Loss
from mdl.learning.partition import Rows
from mdl.system import Opinions


def taught(opinions: Opinions) -> Loss:
    """Make the loss CE(label, own) + α T² KL(softmax(scores / T) ‖ softmax(own / T)).

    Where best classes alone are told it is CE(label, own) + α CE(best class, own): the divergence from a
    distribution that has all on that class, which no temperature changes. The second term counts for the
    examples on which an opinion is known; the mean is over all of the batch, so that each example's
    cross-entropy weighs the same whatever is known of the others.
    """
    scores, known = torch.from_numpy(opinions.scores), torch.from_numpy(opinions.known)
    temperature = opinions.temperature

    def away(teacher: torch.Tensor, pupil: torch.Tensor) -> torch.Tensor:
        if opinions.labels:
            return functional.cross_entropy(pupil, teacher.argmax(1), reduction="sum")
        return temperature**2 * divergence(teacher, pupil, temperature)

    def loss(own: torch.Tensor, labels: torch.Tensor, numbers: Rows) -> torch.Tensor:
        plain = functional.cross_entropy(own, labels)
        batch = torch.from_numpy(numbers)
        about = known[batch]
        if not about.any():
            return plain
        apart = away(scores[batch[about]], own[about])
        return plain + opinions.weight / len(numbers) * apart

    return loss


def divergence(teacher: torch.Tensor, pupil: torch.Tensor, temperature: float) -> torch.Tensor:
    """Add up KL(softmax(teacher / T) ‖ softmax(pupil / T)) over k examples; scores of shape (k, classes)."""
    # The teacher may be somebody else's: whatever finite scores it gives, no quotient here overflows upwards.
    below = teacher - teacher.max(dim=1, keepdim=True).values
    aim = functional.softmax(below / temperature, dim=1)
    return functional.kl_div(functional.log_softmax(pupil / temperature, dim=1), aim, reduction="sum")
