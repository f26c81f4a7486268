"""How a model is solved: one small frozen object each."""

from entropax.method.base import AbstractMethod as AbstractMethod
from entropax.method.exact import Exact as Exact
from entropax.method.states import (
    AbstractFermionState as AbstractFermionState,
    DenseState as DenseState,
    ProductState as ProductState,
    StarState as StarState,
)
