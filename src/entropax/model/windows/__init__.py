"""Finite baths of energy windows, what couples to them, and how they are observed."""

from entropax.model.windows.bath import WindowBath as WindowBath
from entropax.model.windows.coupling_matrices import (
    GOE as GOE,
    GUE as GUE,
    AbstractCouplingMatrix as AbstractCouplingMatrix,
    EigenstateThermalization as EigenstateThermalization,
    RandomBands as RandomBands,
)
from entropax.model.windows.observation import Observation as Observation
