"""Whose states open which account, and which ledger that makes."""

from typing import Any

import jax.numpy as jnp
import pytest
from cases import ideal
from cases.fermions import junction, network
from cases.windows import large_spin

import entropax as ex
from entropax.ledger import FAMILIES, family_of, open_account
from entropax.ledger.base import AbstractAccount, AbstractLedger
from entropax.ledger.fermions import FermionAccount
from entropax.ledger.ideal import IdealAccount
from entropax.ledger.windows import WindowAccount
from entropax.method import AbstractMethod
from entropax.state import SystemState, WindowState

RUNS: dict[str, tuple[AbstractMethod[Any], Any, type, type]] = {
    "junction": (ex.Exact(), junction(), FermionAccount, ex.FermionLedger),
    "network": (ex.Magnus(), network(), FermionAccount, ex.FermionLedger),
    "windows": (ex.EMME(), large_spin(), WindowAccount, ex.WindowLedger),
    "ideal": (ex.Davies(), ideal.case("random").model(), IdealAccount, ex.GKLSLedger),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_state_opens_the_account_of_its_family(name: str) -> None:
    """The family is known from the method, before there is a state."""
    method, model, account, ledger = RUNS[name]
    family = family_of(method.states)
    assert (family.account, family.ledger) == (account, ledger)
    plan = method.plan(model, jnp.zeros(1))
    initial = method.initial(plan)
    assert isinstance(initial, method.states)
    assert isinstance(open_account(initial, plan.model), account)


def test_every_family_is_one_of_accounts_and_ledgers() -> None:
    for states, account, ledger in FAMILIES:
        assert family_of(states) is family_of(type("Special", (states,), {}))
        assert issubclass(account, AbstractAccount)
        assert issubclass(ledger, AbstractLedger)
    assert len({family.ledger.__name__ for family in FAMILIES}) == len(FAMILIES)
    assert family_of(WindowState) is not family_of(SystemState)


@pytest.mark.misuse
def test_what_has_no_ledger_is_not_guessed() -> None:
    with pytest.raises(TypeError, match="states must be of a family that has a ledger"):
        family_of(object)
    with pytest.raises(TypeError, match="states must be of a family that has a ledger"):
        open_account(ex.Product(0), large_spin())
