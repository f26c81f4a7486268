"""What is studied: frozen, checked data."""

from entropax.model.junction import (
    Junction as Junction,
    pure_start as pure_start,
    with_occupations as with_occupations,
)
from entropax.model.lead import Lead as Lead
from entropax.model.network import FermionNetwork as FermionNetwork
