"""The ``scheme`` table of an experiment file, and what can be said of a scheme before it runs."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mdl.schemes.settings.base import Exponentiations, Requirements, SchemeSettings
from mdl.schemes.settings.elgamal import ElGamalSettings
from mdl.schemes.settings.paillier import PaillierSettings
from mdl.schemes.settings.pairwise import PairwiseSettings
from mdl.schemes.settings.plain import PlainSettings
from mdl.schemes.settings.prss import PrssSettings
from mdl.schemes.settings.rlwe import RlweSettings

AnyScheme: TypeAlias = Annotated[
    ElGamalSettings | PaillierSettings | PrssSettings | RlweSettings | PairwiseSettings | PlainSettings,
    Field(discriminator="type"),
]

__all__ = [
    "AnyScheme",
    "ElGamalSettings",
    "Exponentiations",
    "PaillierSettings",
    "PairwiseSettings",
    "PlainSettings",
    "PrssSettings",
    "Requirements",
    "RlweSettings",
    "SchemeSettings",
]
