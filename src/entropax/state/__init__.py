"""What stands between methods and ledgers: a state at one time, and what it can be asked for.

A method makes states, a ledger measures them, and neither knows the other. What a method does not
know of a state is None. States of a long run never pile up: each is reduced as soon as it is there.
"""

from entropax.state.fermions import (
    AbstractFermionState as AbstractFermionState,
    DenseState as DenseState,
    ProductState as ProductState,
    StarState as StarState,
)
from entropax.state.ideal import SystemState as SystemState
from entropax.state.windows import Observed as Observed, WindowState as WindowState
