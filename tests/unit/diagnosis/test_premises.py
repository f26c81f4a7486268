"""Premises of identities: None where they hold, a sentence where they do not."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from cases.windows import CANONICAL, QUENCH, WINDOW, driven, four_couplings, large_spin

import entropax as ex
from entropax.diagnosis import premises
from entropax.diagnosis.premises import Case

EXACT = ex.Schrodinger(jax.random.key(0))


def case(model: ex.OpenSystem, method: ex.AbstractMethod) -> Case:
    """A case whose ledger is not asked for."""
    nothing: Any = None
    return Case(model, method, jnp.ones(1), nothing)


@pytest.mark.parametrize(
    ("premise", "holds", "fails", "sentence"),
    [
        (
            premises.exact_dynamics,
            case(large_spin(), EXACT),
            case(large_spin(), ex.EMME()),
            "exact dynamics",
        ),
        (premises.emme, case(large_spin(), ex.EMME()), case(large_spin(), EXACT), "`EMME`"),
        (
            premises.markov,
            case(large_spin(), ex.EMME()),
            case(large_spin(), ex.EMME(memory="finite")),
            "infinite memory",
        ),
        (
            premises.undriven,
            case(large_spin(), EXACT),
            case(driven(QUENCH, WINDOW), EXACT),
            "",
        ),
        (premises.one_bath, case(large_spin(), EXACT), case(four_couplings(), EXACT), "one bath"),
        (
            premises.resonant,
            case(large_spin(), ex.EMME()),
            case(driven(1.3, CANONICAL), ex.EMME()),
            "windows on resonance",
        ),
    ],
)
def test_a_premise_holds_or_says_what_is_missing(
    premise: Callable[[Case], str | None], holds: Case, fails: Case, sentence: str
) -> None:
    assert premise(holds) is None
    missing = premise(fails)
    assert missing is not None
    assert sentence in missing
