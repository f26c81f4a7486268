"""Free fermions: leads, a level between them, networks of sites."""

from entropax.model.fermions.junction import (
    Junction as Junction,
    pure_start as pure_start,
    with_occupations as with_occupations,
)
from entropax.model.fermions.lead import Lead as Lead
from entropax.model.fermions.network import FermionNetwork as FermionNetwork
