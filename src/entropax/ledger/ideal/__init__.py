"""The ledger of a small system between ideal baths."""

from entropax.ledger.ideal.account import (
    IdealAccount as IdealAccount,
    is_state as is_state,
    moment_ledger as moment_ledger,
)
from entropax.ledger.ideal.quantities import (
    AbstractMomentLedger as AbstractMomentLedger,
    GKLSLedger as GKLSLedger,
    MomentLedger as MomentLedger,
)
