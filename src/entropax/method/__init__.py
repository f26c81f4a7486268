"""How a model is solved: one small frozen object each, in a room for each family of models."""

from entropax.method.base import AbstractMethod as AbstractMethod, Plan as Plan
from entropax.method.fermions import Exact as Exact, Magnus as Magnus, SplitStep as SplitStep
from entropax.method.ideal import (
    AbstractIdealBathEquation as AbstractIdealBathEquation,
    Davies as Davies,
    Lindblad as Lindblad,
    Local as Local,
    Redfield as Redfield,
)
from entropax.method.windows import (
    EMME as EMME,
    AbstractMasterEquation as AbstractMasterEquation,
    BornMarkovSecular as BornMarkovSecular,
    Schrodinger as Schrodinger,
    microcanonical_master_equation as microcanonical_master_equation,
)
