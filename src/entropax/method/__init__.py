"""How a model is solved: one small frozen object each."""

from entropax.method.base import AbstractMethod as AbstractMethod
from entropax.method.davies import Davies as Davies
from entropax.method.emme import (
    EMME as EMME,
    microcanonical_master_equation as microcanonical_master_equation,
)
from entropax.method.exact import Exact as Exact
from entropax.method.frozen import BornMarkovSecular as BornMarkovSecular
from entropax.method.gkls import AbstractGKLS as AbstractGKLS
from entropax.method.local import Lindblad as Lindblad, Local as Local
from entropax.method.magnus import Magnus as Magnus
from entropax.method.master import AbstractMasterEquation as AbstractMasterEquation
from entropax.method.redfield import Redfield as Redfield
from entropax.method.schrodinger import Schrodinger as Schrodinger
from entropax.method.splitstep import SplitStep as SplitStep
from entropax.method.states import (
    AbstractFermionState as AbstractFermionState,
    DenseState as DenseState,
    ProductState as ProductState,
    StarState as StarState,
    SystemState as SystemState,
    WindowState as WindowState,
)
