"""What a state is worth: energies, work, heat, entropies, entropy production and its terms."""

from entropax.ledger.base import (
    AbstractAccount as AbstractAccount,
    AbstractLedger as AbstractLedger,
    Verdict as Verdict,
    about as about,
    as_table as as_table,
)
from entropax.ledger.families import (
    FAMILIES as FAMILIES,
    family_of as family_of,
    open_account as open_account,
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
