"""Layers of networks on secrets: their values, and what they hand back."""

from mdl.mpc.layers.convolution import Convolution
from mdl.mpc.layers.dense import Dense, Relu
from mdl.mpc.layers.dropout import Dropout
from mdl.mpc.layers.images import Flatten, Padding
from mdl.mpc.layers.layer import STATISTIC_BITS, Gradient, Layer, Sum
from mdl.mpc.layers.normalisation import BatchNorm
from mdl.mpc.layers.pooling import AvgPool, MaxPool
from mdl.mpc.layers.window import Window

__all__ = [
    "STATISTIC_BITS",
    "AvgPool",
    "BatchNorm",
    "Convolution",
    "Dense",
    "Dropout",
    "Flatten",
    "Gradient",
    "Layer",
    "MaxPool",
    "Padding",
    "Relu",
    "Sum",
    "Window",
]
