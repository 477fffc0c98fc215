"""Functions of secret numbers, written once for all engines. Numbers are multiples of 2^-16."""

from mdl.mpc.functions.logarithms import logarithms
from mdl.mpc.functions.powers import exponentials
from mdl.mpc.functions.quotients import quotients
from mdl.mpc.functions.roots import ROOT_BITS, inverse_square_root
from mdl.mpc.functions.softmax import Softmax, largest, softmax
from mdl.mpc.functions.words import conjunction

__all__ = [
    "ROOT_BITS",
    "Softmax",
    "conjunction",
    "exponentials",
    "inverse_square_root",
    "largest",
    "logarithms",
    "quotients",
    "softmax",
]
