"""Checks of solutions (`identities`) and of models (`audit`)."""

from entropax.diagnosis.audit import Finding as Finding, audit as audit
from entropax.diagnosis.identities import (
    NAMES as NAMES,
    identities as identities,
)
from entropax.diagnosis.relation import Identity as Identity
