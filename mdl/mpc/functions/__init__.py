"""Functions of secret numbers, written once for all engines. Numbers are multiples of 2^-16."""

from mdl.mpc.functions.logarithms import logarithms
from mdl.mpc.functions.powers import binary_exponents, powers_of_two
from mdl.mpc.functions.quotients import quotients
from mdl.mpc.functions.roots import ROOT_BITS, inverse_square_root
from mdl.mpc.functions.softmax import Softmax, largest, softmax, taken
from mdl.mpc.functions.words import conjunction

__all__ = [
    "ROOT_BITS",
    "Softmax",
    "binary_exponents",
    "conjunction",
    "inverse_square_root",
    "largest",
    "logarithms",
    "powers_of_two",
    "quotients",
    "softmax",
    "taken",
]
