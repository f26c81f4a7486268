"""The families of physics: whose states open which account, and which ledger that makes."""

from typing import Any, NamedTuple

import equinox as eqx

from entropax.ledger.base import AbstractAccount, AbstractLedger
from entropax.ledger.fermions import FermionAccount, FermionLedger
from entropax.ledger.ideal import GKLSLedger, IdealAccount
from entropax.ledger.windows import WindowAccount, WindowLedger
from entropax.state import AbstractFermionState, SystemState, WindowState


class Family(NamedTuple):
    """One kind of states, the account that they open, and the ledger that it is settled to."""

    states: type[eqx.Module]
    account: type[AbstractAccount[Any, Any, Any]]
    ledger: type[AbstractLedger]


FAMILIES = (
    Family(AbstractFermionState, FermionAccount, FermionLedger),
    Family(WindowState, WindowAccount, WindowLedger),
    Family(SystemState, IdealAccount, GKLSLedger),
)


def family_of(states: type) -> Family:
    """The family that a kind of states belongs to; `TypeError` for one of none."""
    for family in FAMILIES:
        if issubclass(states, family.states):
            return family
    raise TypeError(f"states must be of a family that has a ledger, not {states.__name__}")


def open_account(initial: eqx.Module, model: Any) -> AbstractAccount[Any, Any, Any]:
    """The account of a model that starts in a state."""
    return family_of(type(initial)).account.open(initial, model)
