"""The ledger of a small system and its window baths."""

from entropax.ledger.windows.account import WindowAccount as WindowAccount
from entropax.ledger.windows.quantities import (
    ObservationLedger as ObservationLedger,
    WindowLedger as WindowLedger,
)
