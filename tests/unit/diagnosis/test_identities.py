"""Identities: when one is violated, and what is refused."""

from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import CANONICAL, JOINT, WINDOW, four_couplings, large_spin, model

import entropax as ex
from entropax.diagnosis import NAMES, Identity, identities
from entropax.diagnosis.identities import _energies, _window_divergence


def test_nan_is_a_violation() -> None:
    identity = Identity("x", "y", "=", jnp.array([0.0, jnp.nan]))
    assert not identity.violation <= 1e-9
    assert not identity._replace(relation=">=").violation <= 1e-9


def test_an_equality_fails_on_both_sides_and_an_inequality_on_one() -> None:
    residual = jnp.array([0.3, -0.1])
    assert Identity("x", "y", "=", residual).violation == pytest.approx(0.3)
    assert Identity("x", "y", ">=", residual).violation == pytest.approx(0.1)
    assert Identity("x", "y", ">=", residual + 0.1).violation == 0.0


def test_divergence_of_the_windows_from_the_first_time() -> None:
    """Summed over baths; windows that nothing is in count nothing."""
    joint = np.array([[[[0.5, 0.0], [0.25, 0.25]]], [[[0.1, 0.4], [0.2, 0.3]]]])
    expected = []
    for p in joint:
        total = 0.0
        for axis in (1, 2):
            now, first = p.sum((0, 3 - axis)), joint[0].sum((0, 3 - axis))
            total += sum(x * np.log(x / y) for x, y in zip(now, first, strict=True) if x > 0)
        expected.append(total)
    np.testing.assert_allclose(_window_divergence(jnp.asarray(joint)), expected, atol=1e-14)
    assert expected[0] == 0.0
    assert expected[1] > 0.1


def test_energies_of_level_and_windows_together() -> None:
    total = _energies(four_couplings())
    assert total.shape == (3, 4, 3)
    assert total[2, 1, 0] == 3.0 + 1.0 - 1.0


def solved(first: float = 0.0, kind: type = ex.WindowLedger, **known: Any) -> Any:
    """A solution whose ledger holds what is known, and nothing else."""
    ledger = object.__new__(kind)
    for name, value in known.items():
        object.__setattr__(ledger, name, value)
    return SimpleNamespace(ts=jnp.array([first, 1.0]), ledger=ledger)


KNOWN = {"entropy_production": jnp.zeros(2), "observed": None, "mutual_information": None}
MISSING = {
    "local": (model(start=JOINT), ex.EMME(), "R66.*a product start, but `start` is a Joint"),
    "spohn": (large_spin(), ex.EMME(memory="finite"), r"R56, S56.*`EMME\(\)` with infinite memory"),
    "terms": (large_spin(), ex.EMME(), r"S22, S39.*needs `Schrodinger\(observation=\.\.\.\)`"),
    "mutual information": (
        large_spin(),
        ex.Schrodinger(),
        r"R42, S24.*needs `Schrodinger\(mutual_information=True\)`",
    ),
    "fixed temperature": (large_spin(CANONICAL), ex.EMME(), "E10, S5.*exact dynamics"),
    "weak coupling": (large_spin(WINDOW), ex.Schrodinger(), "E27.*with canonical baths"),
    "second law": (
        large_spin(CANONICAL),
        ex.Schrodinger(),
        "R57, S26.*a start evenly filled in each window",
    ),
}


@pytest.mark.misuse
@pytest.mark.misuse
@pytest.mark.parametrize("name", MISSING)
def test_what_an_identity_needs(name: str) -> None:
    built, method, message = MISSING[name]
    with pytest.raises(ValueError, match=rf"`{name}` \({message}"):
        identities(built, method, solved(**KNOWN), [name])


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="`solution` must begin at time 0"):
        identities(model(), ex.EMME(), solved(first=0.5))
    with pytest.raises(ValueError, match=r"`names` must be of splitting, .* but has 'x'"):
        identities(model(), ex.EMME(), solved(), ["x"])
    assert len(NAMES) == len(set(NAMES)) == 21
    for kind in (ex.FermionLedger, ex.GKLSLedger):
        message = (
            f"`solution` must be what `solve` made .* WindowLedger, but holds a {kind.__name__}"
        )
        with pytest.raises(ValueError, match=message):
            identities(model(), ex.EMME(), solved(kind=kind))
