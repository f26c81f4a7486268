"""A lead: its numbers, its starts, and what may not be built."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.checks import assert_pytree_of_arrays, says
from cases.fermions import flat, lead
from twins import textbook

import entropax as ex

NAN, INF = float("nan"), float("inf")


def test_flat_lead_has_the_papers_numbers() -> None:
    built = ex.Lead.flat(modes=5, width=2.0, coupling=0.3, beta=10.0, mu=-1.0)
    np.testing.assert_allclose(built.energies, [-1.0, -0.5, 0.0, 0.5, 1.0], rtol=0, atol=1e-15)
    np.testing.assert_allclose(built.couplings, np.sqrt(0.3 * 0.5 / (2 * np.pi)), rtol=1e-15)
    assert (float(built.beta), float(built.mu), built.modes) == (10.0, -1.0, 5)
    assert built.occupations is None
    for modes in (1, 2, 1000):
        built = ex.Lead.flat(modes=modes, width=10.0, coupling=3.0, beta=10.0, mu=1.0)
        energies, couplings = textbook.flat_lead(modes, 10.0, 3.0)
        np.testing.assert_allclose(built.energies, energies, rtol=0, atol=1e-14)
        np.testing.assert_allclose(built.couplings, couplings, rtol=1e-14)
        expected = textbook.fermi(10.0, 1.0, energies)
        np.testing.assert_allclose(built.initial_occupations, expected, rtol=1e-12)
    single = ex.Lead.flat(modes=1, width=2.0, coupling=0.3, beta=1.0, mu=0.0)
    assert float(single.energies[0]) == 0.0
    assert float(single.couplings[0]) == pytest.approx(np.sqrt(0.6 / (2 * np.pi)), rel=1e-15)


def test_zero_coupling_and_every_temperature_are_welcome() -> None:
    assert not np.any(flat(coupling=0.0).couplings)
    energies = np.array([0.0, 1.0, 2.0])
    for beta in (INF, -INF, 0.0, -3.0, 1e6):
        expected = textbook.fermi(beta, 1.0, energies)
        found = lead(beta=beta, mu=1.0).initial_occupations
        np.testing.assert_allclose(found, expected, rtol=1e-12, err_msg=str(beta))


def test_integers_and_lists_become_float64() -> None:
    for built in (ex.Lead([0, 1], [1, 0], 1, 0), ex.Lead(np.float32([2]), [1], 1, 0)):
        assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(built))


def test_a_lead_is_a_pytree_of_arrays() -> None:
    assert_pytree_of_arrays(lead())
    assert_pytree_of_arrays(lead(occupations=[0.0, 0.5, 1.0]))


def test_occupations_take_the_place_of_a_temperature() -> None:
    thermal, filled = lead(), lead(occupations=[0.0, 0.5, 1.0])
    assert tuple(map(float, thermal.thermal or ())) == (1.0, 0.0)
    assert filled.thermal is None
    np.testing.assert_array_equal(filled.initial_occupations, [0.0, 0.5, 1.0])
    bare = ex.Lead([0.0], [0.1], occupations=[0.3])
    assert bare.beta is bare.mu is None
    assert float(bare.initial_occupations[0]) == 0.3


@pytest.mark.misuse
def test_a_gate_is_a_function_of_time() -> None:
    gated = flat(gate=lambda t: 2.0 * t)
    assert float(gated.gate(jnp.array(1.5))) == 3.0
    assert flat().gate is None


@pytest.mark.misuse
def test_a_gate_is_no_number() -> None:
    with pytest.raises(ValueError, match="`gate` must be a function of time"):
        flat(gate=3.0)


BAD: dict[str, tuple[Callable[[], Any], str, str]] = {
    "width zero": (lambda: flat(width=0.0), "width", "positive, but is 0.0"),
    "width negative": (lambda: flat(width=-2.0), "width", "positive, but is -2.0"),
    "width NaN": (lambda: flat(width=NAN), "width", "but is nan"),
    "width infinite": (lambda: flat(width=INF), "width", "finite, but is inf"),
    "no mode": (lambda: flat(modes=0), "modes", "a positive integer, but is 0"),
    "negative modes": (lambda: flat(modes=-3), "modes", "a positive integer, but is -3"),
    "half a mode": (lambda: flat(modes=2.5), "modes", "a positive integer, but is 2.5"),
    "modes by truth": (lambda: flat(modes=True), "modes", "a positive integer"),
    "rate negative": (lambda: flat(coupling=-0.1), "coupling", "non-negative, but is -0.1"),
    "rate NaN": (lambda: flat(coupling=NAN), "coupling", "but is nan"),
    "rate infinite": (lambda: flat(coupling=INF), "coupling", "finite, but is inf"),
    "rate an array": (lambda: flat(coupling=[1.0, 2.0]), "coupling", "0 dimensions.*(2,)"),
    "beta NaN": (lambda: flat(beta=NAN), "beta", "NaN, but is nan"),
    "mu infinite": (lambda: flat(mu=INF), "mu", "finite, but is inf"),
    "mu NaN": (lambda: lead(mu=NAN), "mu", "but is nan"),
    "no energies": (lambda: lead(energies=[], couplings=[]), "energies", "at least one mode"),
    "energies NaN": (lambda: lead(energies=[0.0, NAN, 1.0]), "energies", "nan at index 1"),
    "energies infinite": (lambda: lead(energies=[0.0, 1.0, -INF]), "energies", "-inf at index 2"),
    "energies a matrix": (lambda: lead(energies=np.eye(3)), "energies", "1 dimension.*(3, 3)"),
    "energies a number": (lambda: lead(energies=1.0), "energies", "1 dimension.*()"),
    "energies complex": (lambda: lead(energies=[0j, 1j, 2j]), "energies", "real.*complex128"),
    "couplings longer": (lambda: lead(couplings=[0.1] * 4), "couplings", "`energies` (3).*has 4"),
    "couplings shorter": (lambda: lead(couplings=[0.1]), "couplings", "`energies` (3).*has 1"),
    "couplings NaN": (lambda: lead(couplings=[NAN, 0.0, 0.0]), "couplings", "nan at index 0"),
    "couplings infinite": (lambda: lead(couplings=[0.0, INF, 0.0]), "couplings", "inf at index 1"),
    "couplings complex": (lambda: lead(couplings=[1j, 0, 0]), "couplings", "real.*complex128"),
    "beta an array": (lambda: lead(beta=[1.0, 2.0, 3.0]), "beta", "0 dimensions.*(3,)"),
    "too full": (
        lambda: lead(occupations=[0.0, 0.5, 1.1]),
        "occupations",
        "[0, 1], but has 1.1 at index 2",
    ),
    "too empty": (
        lambda: lead(occupations=[-1e-9, 0.5, 1.0]),
        "occupations",
        "[0, 1], but has -1e-09 at index 0",
    ),
    "occupations NaN": (lambda: lead(occupations=[0.0, NAN, 1.0]), "occupations", "nan at index 1"),
    "occupations shorter": (lambda: lead(occupations=[0.5]), "occupations", "(3).*has 1"),
    "lead without temperature": (lambda: ex.Lead([0.0], [0.1]), "beta", "unless `occupations`"),
    "beta in words": (lambda: lead(beta="cold"), "beta", "numbers, but is 'cold'"),
    "constants inside jit": (
        lambda: jax.jit(lambda g: ex.Lead.flat(modes=3, width=-1.0, coupling=g, beta=1.0, mu=0.0))(
            0.1
        ),
        "width",
        "positive, but is -1.0",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=says(argument, rule)):
        build()
