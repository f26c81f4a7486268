"""A small system and baths of energy windows: exactly, and by master equations."""

from entropax.method.windows.born_markov import BornMarkovSecular as BornMarkovSecular
from entropax.method.windows.emme import (
    EMME as EMME,
    microcanonical_master_equation as microcanonical_master_equation,
)
from entropax.method.windows.master_equation import (
    AbstractMasterEquation as AbstractMasterEquation,
)
from entropax.method.windows.schrodinger import Schrodinger as Schrodinger
