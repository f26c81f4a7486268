"""A network: its start, its drives, and what may not be built."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from cases import fermions
from cases.checks import assert_pytree_of_arrays, says
from cases.fermions import as_network, junction, lead, network
from cases.matrices import seeded_correlation, seeded_hermitian
from twins import textbook

import entropax as ex

NAN, INF = float("nan"), float("inf")


def test_the_start() -> None:
    plain = network(start=None)
    assert not np.any(plain.initial_correlation[0])
    assert (plain.system, plain.baths, plain.sites) == ((0,), ((1, 2), (3,)), 4)
    assert plain.has_thermal_baths
    whole = network(start=np.eye(4) / 2)
    assert whole.beta is None
    assert whole.mu is None
    assert not whole.has_thermal_baths


def test_network_from_a_junction_holds_its_star() -> None:
    for name in ("mixed", "zero temperature", "pure"):
        star = (fermions.THERMAL | fermions.FROZEN | fermions.DIAGONAL)[name]
        dense = star.dense()
        built = as_network(star.model())
        np.testing.assert_array_equal(built.hamiltonian, dense["h"])
        np.testing.assert_allclose(built.initial_correlation, dense["c0"], rtol=0, atol=1e-15)
        assert built.system == (0,)
        assert [list(bath) for bath in built.baths] == dense["baths"]
        assert built.has_thermal_baths == star.thermal


def test_integers_become_float64() -> None:
    assert network(hamiltonian=np.eye(4, dtype=int)).hamiltonian.dtype == jnp.float64
    assert network(hamiltonian=np.eye(4, dtype=complex)).hamiltonian.dtype == jnp.complex128


def test_a_network_is_a_pytree_of_arrays() -> None:
    assert_pytree_of_arrays(network())
    assert_pytree_of_arrays(network(start=np.eye(4)))


def test_a_driven_junction_becomes_a_network_with_drives() -> None:
    """Its h(t) is the star of the junction at that time."""
    left, right = fermions.THERMAL["mixed"].model().leads
    gated = ex.Lead(left.energies, left.couplings, left.beta, left.mu, gate=jnp.cos)
    model = ex.Junction(jnp.sin, 0.3, (gated, right))
    network = as_network(model)
    for time in (0.3, 2.5):
        leads = [(left.energies, np.cos(time) * left.couplings), (right.energies, right.couplings)]
        star = textbook.star(np.sin(time), [tuple(map(np.asarray, pair)) for pair in leads])
        at = jnp.asarray(time)
        h = network.within(at, (at, at)).hamiltonian
        np.testing.assert_allclose(h, star, rtol=0, atol=1e-15)


def test_nearly_hermitian_and_nearly_bounded_matrices_pass() -> None:
    h = seeded_hermitian(4, 1)
    network(hamiltonian=h + 1e-15 * np.triu(np.ones((4, 4)), 1))
    c = seeded_correlation(4, 2, (0.0, 1.0, 1.0, 0.0))
    network(hamiltonian=h, start=c)
    with pytest.raises(ValueError, match="hamiltonian"):
        network(hamiltonian=h + 1e-9 * np.triu(np.ones((4, 4)), 1))
    with pytest.raises(ValueError, match="start"):
        network(hamiltonian=h, start=c + 1e-9 * np.eye(4))


BAD: dict[str, tuple[Callable[[], Any], str, str]] = {
    "h not Hermitian": (
        lambda: network(hamiltonian=np.triu(np.ones((4, 4)))),
        "hamiltonian",
        "Hermitian.*1.0 at index 0, 1",
    ),
    "h symmetric, not Hermitian": (
        lambda: network(hamiltonian=1j * fermions.chain(4, 1.0)),
        "hamiltonian",
        "Hermitian",
    ),
    "h with a complex diagonal": (
        lambda: network(hamiltonian=np.diag([1.0, 2.0, 3.0, 1j])),
        "hamiltonian",
        "Hermitian.*at index 3, 3",
    ),
    "h not square": (lambda: network(hamiltonian=np.ones((4, 3))), "hamiltonian", "square.*(4, 3)"),
    "h NaN": (lambda: network(hamiltonian=np.full((4, 4), NAN)), "hamiltonian", "finite.*nan"),
    "h infinite": (lambda: network(hamiltonian=np.diag([INF, 0, 0, 0])), "hamiltonian", "inf"),
    "h a vector": (lambda: network(hamiltonian=np.ones(4)), "hamiltonian", "2 dimensions.*(4,)"),
    "overlap of system and bath": (
        lambda: network(baths=((0, 1, 2), (3,))),
        "system",
        "site 0 is in both `system` and `baths[0]`",
    ),
    "overlap of baths": (
        lambda: network(baths=((1, 2), (2, 3))),
        "baths",
        "site 2 is in both `baths[0]` and `baths[1]`",
    ),
    "a site twice": (lambda: network(system=(0, 0)), "system", "site 0"),
    "a site left out": (lambda: network(baths=((1,), (3,))), "baths", "all 4 sites.*[2]"),
    "a site too many": (lambda: network(baths=((1, 2), (3, 4))), "baths[1]", "0 to 3, but has 4"),
    "a negative site": (lambda: network(baths=((1, 2), (-1,))), "baths[1]", "0 to 3, but has -1"),
    "half a site": (lambda: network(system=(0.5,)), "system", "0.5"),
    "no bath": (lambda: network(baths=()), "baths", "at least one bath"),
    "an empty bath": (lambda: network(baths=((1, 2, 3), ())), "baths[1]", "at least one site"),
    "no system": (lambda: network(system=()), "system", "at least one site"),
    "no beta": (lambda: network(beta=None), "beta", "one per bath"),
    "no mu": (lambda: network(mu=None), "mu", "one per bath"),
    "too few betas": (lambda: network(beta=(1.0,)), "beta", "one entry per bath (2).*has 1"),
    "too many mus": (lambda: network(mu=(1.0,) * 3), "mu", "one entry per bath (2).*has 3"),
    "a beta NaN": (lambda: network(beta=(1.0, NAN)), "beta", "nan at index 1"),
    "a mu infinite": (lambda: network(mu=(INF, 0.0)), "mu", "inf at index 0"),
    "start not Hermitian": (
        lambda: network(start=np.triu(np.full((4, 4), 0.1))),
        "start",
        "Hermitian",
    ),
    "start above 1": (
        lambda: network(start=np.diag([0.5, 0.5, 0.5, 1.2])),
        "start",
        "eigenvalues within [0, 1], but has 1.2",
    ),
    "start below 0 by its correlations": (
        lambda: network(start=np.full((4, 4), 0.5) - 0.25 * np.eye(4)),
        "start",
        "eigenvalues within [0, 1], but has -0.25",
    ),
    "start of another size": (lambda: network(start=np.eye(3)), "start", "(4).*(3, 3)"),
    "start NaN": (lambda: network(start=np.full((1, 1), NAN)), "start", "nan"),
    "system a number": (lambda: network(system=0), "system", "sequence, but is 0"),
    "bath a number": (lambda: network(baths=(1, 2, 3)), "baths[0]", "sequence of sites, but is 1"),
    "network of mixed starts": (
        lambda: ex.FermionNetwork.from_junction(
            junction(leads=(lead(), lead(occupations=[0.1, 0.2, 0.3])))
        ),
        "junction",
        "all start thermal or all with `occupations`",
    ),
    "a drive within a bath": (
        lambda: network(drives=(ex.Drive(np.eye(4), jnp.sin),)),
        "drives[0].operator",
        "zero within each bath",
    ),
    "a drive of another size": (
        lambda: network(drives=(ex.Drive(np.eye(2), jnp.sin),)),
        "drives[0].operator",
        "the shape of `hamiltonian`",
    ),
    "one drive, no tuple": (
        lambda: network(drives=ex.Drive(np.eye(4), jnp.sin)),
        "drives",
        "a sequence, but is one Drive",
    ),
    "no drive": (lambda: network(drives=(jnp.sin,)), "drives[0]", "a Drive, but is"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=says(argument, rule)):
        build()
