"""What a state is worth: energies, work, heat, entropies, entropy production and its terms."""

from entropax.ledger.fermion import (
    EntropyTerms as EntropyTerms,
    FermionLedger as FermionLedger,
    FermionModel as FermionModel,
    Measurement as Measurement,
    Reference as Reference,
    global_equilibrium as global_equilibrium,
    measure as measure,
    reference as reference,
    settle as settle,
)
