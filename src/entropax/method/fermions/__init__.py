"""Free fermions: correlation matrices, exactly, at rest and driven."""

from entropax.method.fermions.exact import Exact as Exact
from entropax.method.fermions.magnus import Magnus as Magnus
from entropax.method.fermions.splitstep import SplitStep as SplitStep
