"""The ledger of free fermions between finite baths."""

from entropax.ledger.fermions.account import (
    FermionAccount as FermionAccount,
    FermionModel as FermionModel,
    global_equilibrium as global_equilibrium,
)
from entropax.ledger.fermions.quantities import (
    EntropyTerms as EntropyTerms,
    FermionLedger as FermionLedger,
)
