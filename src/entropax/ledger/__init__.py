"""What a state is worth: energies, work, heat, entropies, entropy production and its terms."""

from entropax.ledger.base import (
    Verdict as Verdict,
    in_words as in_words,
    judge as judge,
    measure as measure,
    reference as reference,
    settle as settle,
)
from entropax.ledger.fermions import (
    EntropyTerms as EntropyTerms,
    FermionLedger as FermionLedger,
    FermionModel as FermionModel,
    global_equilibrium as global_equilibrium,
)
from entropax.ledger.ideal import (
    AbstractMomentLedger as AbstractMomentLedger,
    GKLSLedger as GKLSLedger,
    moment_ledger as moment_ledger,
    is_state as is_state,
)
from entropax.ledger.windows import (
    ObservationLedger as ObservationLedger,
    WindowLedger as WindowLedger,
)
