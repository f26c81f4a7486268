"""What may be built, what may not and what the message says, and what a model can tell."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import systems
import textbook

import entropax as ex

Array = np.ndarray
NAN, INF = float("nan"), float("inf")


def flat(**changes: Any) -> ex.Lead:
    return ex.Lead.flat(
        **({"modes": 4, "width": 2.0, "coupling": 0.5, "beta": 1.0, "mu": 0.1} | changes)
    )


def lead(**changes: Any) -> ex.Lead:
    arguments = {"energies": [0.0, 1.0, 2.0], "couplings": [0.1, 0.2, 0.3], "beta": 1.0, "mu": 0.0}
    return ex.Lead(**(arguments | changes))


def junction(**changes: Any) -> ex.Junction:
    return ex.Junction(**({"level": 0.1, "occupation": 0.2, "leads": (lead(), flat())} | changes))


def network(**changes: Any) -> ex.FermionNetwork:
    arguments = {
        "hamiltonian": systems.chain(4, 0.5),
        "system": (0,),
        "baths": ((1, 2), (3,)),
        "beta": (1.0, 2.0),
        "mu": (0.0, 0.1),
    }
    return ex.FermionNetwork(**(arguments | changes))


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
    built = ex.Junction(0, 1, [ex.Lead([0, 1], [1, 0], 1, 0), ex.Lead(np.float32([2]), [1], 1, 0)])
    assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(built))
    assert isinstance(built.leads, tuple)
    assert network(hamiltonian=np.eye(4, dtype=int)).hamiltonian.dtype == jnp.float64
    assert network(hamiltonian=np.eye(4, dtype=complex)).hamiltonian.dtype == jnp.complex128


def test_junction_lists_its_sites_level_first() -> None:
    built = junction(leads=(lead(occupations=[0.5, 0.25, 1.0]), flat(modes=2), flat(modes=1)))
    assert built.lead_slices == (slice(0, 3), slice(3, 5), slice(5, 6))
    np.testing.assert_array_equal(built.mode_energies, [0.0, 1.0, 2.0, -1.0, 1.0, 0.0])
    np.testing.assert_array_equal(built.mode_couplings[:3], [0.1, 0.2, 0.3])
    start = [0.2, 0.5, 0.25, 1.0, *textbook.fermi(1.0, 0.1, np.array([-1.0, 1.0, 0.0]))]
    np.testing.assert_allclose(built.initial_occupations, start, rtol=1e-14)


def test_with_occupations_goes_level_left_right() -> None:
    n = np.array([0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    changed = ex.with_occupations(junction(), n)
    assert float(changed.occupation) == 0.9
    np.testing.assert_array_equal(changed.leads[0].initial_occupations, [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(changed.leads[1].initial_occupations, [0.4, 0.5, 0.6, 0.7])
    np.testing.assert_array_equal(changed.initial_occupations, n)
    for before, after in zip(junction().leads, changed.leads, strict=True):
        for name in ("energies", "couplings", "beta", "mu"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    again = ex.with_occupations(changed, n[::-1])
    np.testing.assert_array_equal(again.initial_occupations, n[::-1])


def test_network_start_in_textbook_order() -> None:
    for name, system in systems.NETWORKS.items():
        found, expected = system.model().initial_correlation, system.dense()["c0"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14, err_msg=name)
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
        star = (systems.THERMAL | systems.FROZEN | systems.DIAGONAL)[name]
        dense = star.dense()
        built = ex.FermionNetwork.from_junction(star.model())
        np.testing.assert_array_equal(built.hamiltonian, dense["h"])
        np.testing.assert_allclose(built.initial_correlation, dense["c0"], rtol=0, atol=1e-15)
        assert built.system == (0,)
        assert [list(bath) for bath in built.baths] == dense["baths"]
        assert built.has_thermal_baths == star.thermal


@pytest.mark.parametrize(
    "model",
    [lead(), lead(occupations=[0.0, 0.5, 1.0]), junction(), network(), network(start=np.eye(4))],
    ids=["lead", "filled lead", "junction", "network", "network with a start"],
)
def test_models_are_pytrees_of_arrays(model: eqx.Module) -> None:
    leaves = jax.tree.leaves(model)
    assert leaves
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    same = jax.tree.map(lambda x: x, model)
    assert bool(eqx.tree_equal(same, model))
    assert type(same) is type(model)
    other = jax.tree.map(lambda x: x + 1, model)
    assert not bool(eqx.tree_equal(other, model))
    through = eqx.filter_jit(lambda m: m)(model)
    assert bool(eqx.tree_equal(through, model))


def test_models_are_frozen() -> None:
    with pytest.raises(AttributeError):
        junction().level = 1.0


def test_pure_start_is_pure_and_follows_its_key() -> None:
    model = junction()
    first = ex.pure_start(model, key=jax.random.key(3))
    n = np.asarray(first.initial_occupations)
    assert set(np.unique(n)) <= {0.0, 1.0}
    np.testing.assert_array_equal(ex.pure_start(model, jax.random.key(3)).initial_occupations, n)
    others = [ex.pure_start(model, jax.random.key(k)).initial_occupations for k in range(8)]
    assert len({tuple(map(float, other)) for other in others}) > 1
    np.testing.assert_array_equal(first.mode_energies, model.mode_energies)


def test_pure_start_fills_with_the_initial_occupation() -> None:
    certain = ex.with_occupations(junction(), [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    for k in range(5):
        drawn = ex.pure_start(certain, jax.random.key(k))
        np.testing.assert_array_equal(drawn.initial_occupations, certain.initial_occupations)

    model, draws = junction(), 4000
    keys = jax.random.split(jax.random.key(0), draws)
    filled = jax.vmap(lambda key: ex.pure_start(model, key).initial_occupations)(keys)
    n = np.asarray(model.initial_occupations)
    spread = np.sqrt(n * (1 - n) / draws)
    assert np.all(np.abs(filled.mean(axis=0) - n) < 4 * spread)
    # sites are drawn apart: no two agree more often than chance has it
    both = np.corrcoef(np.asarray(filled).T) - np.eye(len(n))
    assert np.abs(both).max() < 4.5 / np.sqrt(draws)


@pytest.mark.parametrize("name", ["mixed", "negative temperature", "equal energies across leads"])
def test_global_equilibrium_of_a_junction(name: str) -> None:
    star = systems.THERMAL[name]
    dense = star.dense()
    energies = np.linalg.eigvalsh(dense["h"])
    energy, number = np.sum(dense["h"] * dense["c0"]), np.trace(dense["c0"])
    beta, alpha, entropy, _ = textbook.effective(energies, energy, number)
    found = ex.global_equilibrium(star.model())
    assert float(found.beta) == pytest.approx(beta, rel=1e-10)
    assert float(found.mu) == pytest.approx(alpha / beta, rel=1e-10)
    assert float(found.entropy) == pytest.approx(entropy, rel=1e-12)
    assert bool(found.converged)
    c = textbook.thermal_correlation(dense["h"], float(found.beta), float(found.mu))
    assert np.sum(dense["h"] * c) == pytest.approx(energy, abs=1e-11)
    assert np.trace(c) == pytest.approx(number, abs=1e-11)
    # the interaction counts: without it the reference is another one
    bare = textbook.effective(np.diag(dense["h"]), energy, number)
    assert abs(bare[0] - beta) > 1e-3


def test_global_equilibrium_of_a_network() -> None:
    net = systems.NETWORKS["correlated"]
    h, c0 = net.h, net.start
    assert c0 is not None
    energy, number = np.sum(h * c0).real, np.trace(c0).real
    beta, alpha, *_ = textbook.effective(np.linalg.eigvalsh(h), energy, number)
    found = ex.global_equilibrium(net.model())
    assert float(found.beta) == pytest.approx(beta, rel=1e-10)
    assert float(found.mu) == pytest.approx(alpha / beta, rel=1e-10)


# argument, what is wrong, what the message says of rule and value
BAD: dict[str, tuple[Callable[[], Any], str, str]] = {
    "width zero": (lambda: flat(width=0.0), "width", "positive, but is 0.0"),
    "width negative": (lambda: flat(width=-2.0), "width", "positive, but is -2.0"),
    "width NaN": (lambda: flat(width=NAN), "width", "but is nan"),
    "width infinite": (lambda: flat(width=INF), "width", "finite, but is inf"),
    "no mode": (lambda: flat(modes=0), "modes", "at least 1, but is 0"),
    "negative modes": (lambda: flat(modes=-3), "modes", "at least 1, but is -3"),
    "half a mode": (lambda: flat(modes=2.5), "modes", "an integer of at least 1, but is 2.5"),
    "modes by truth": (lambda: flat(modes=True), "modes", "an integer"),
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
    "level NaN": (lambda: junction(level=NAN), "level", "but is nan"),
    "level infinite": (lambda: junction(level=-INF), "level", "finite, but is -inf"),
    "level an array": (lambda: junction(level=[0.0, 1.0]), "level", "0 dimensions.*(2,)"),
    "level too full": (lambda: junction(occupation=1.5), "occupation", "[0, 1], but is 1.5"),
    "level too empty": (lambda: junction(occupation=-0.1), "occupation", "[0, 1], but is -0.1"),
    "no lead": (lambda: junction(leads=()), "leads", "at least one lead"),
    "not a lead": (lambda: junction(leads=(lead(), 3.0)), "leads[1]", "a Lead, but is float"),
    "start too short": (
        lambda: ex.with_occupations(junction(), [0.5] * 7),
        "occupations",
        "(8).*has 7",
    ),
    "start too full": (
        lambda: ex.with_occupations(junction(), [0.5] * 7 + [2.0]),
        "occupations",
        "[0, 1], but has 2.0 at index 7",
    ),
    "h not Hermitian": (
        lambda: network(hamiltonian=np.triu(np.ones((4, 4)))),
        "hamiltonian",
        "Hermitian.*1.0 at index 0, 1",
    ),
    "h symmetric, not Hermitian": (
        lambda: network(hamiltonian=1j * systems.chain(4, 1.0)),
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
    "times NaN": (lambda: ex.solve(network(), [1.0, NAN]), "ts", "nan at index 1"),
    "times infinite": (lambda: ex.solve(network(), [INF, 1.0]), "ts", "finite, but has inf"),
    "times a number": (lambda: ex.solve(network(), 1.0), "ts", "1 dimension.*()"),
    "times complex": (lambda: ex.solve(network(), [1j]), "ts", "real.*complex128"),
    "lead without temperature": (lambda: ex.Lead([0.0], [0.1]), "beta", "unless `occupations`"),
    "beta in words": (lambda: lead(beta="cold"), "beta", "numbers, but is 'cold'"),
    "one lead, no tuple": (lambda: junction(leads=lead()), "leads", "sequence of leads"),
    "system a number": (lambda: network(system=0), "system", "sequence, but is 0"),
    "bath a number": (lambda: network(baths=(1, 2, 3)), "baths[0]", "sequence of sites, but is 1"),
    "pure start of a network": (
        lambda: ex.pure_start(network(), jax.random.key(0)),
        "junction",
        "a Junction, but is FermionNetwork",
    ),
    "occupations of a network": (
        lambda: ex.with_occupations(network(), [0.5] * 4),
        "junction",
        "a Junction, but is FermionNetwork",
    ),
    "equilibrium of a lead": (lambda: ex.global_equilibrium(lead()), "model", "but is Lead"),
    "network of mixed starts": (
        lambda: ex.FermionNetwork.from_junction(
            junction(leads=(lead(), lead(occupations=[0.1, 0.2, 0.3])))
        ),
        "junction",
        "all start thermal or all with `occupations`",
    ),
    "constants inside jit": (
        lambda: jax.jit(lambda g: ex.Lead.flat(modes=3, width=-1.0, coupling=g, beta=1.0, mu=0.0))(
            0.1
        ),
        "width",
        "positive, but is -1.0",
    ),
    "save no function": (lambda: ex.solve(network(), [1.0], save=True), "save", "but is True"),
    "no model": (lambda: ex.solve(lead(), [1.0]), "model", "a Junction or a FermionNetwork.*Lead"),
    "method by name": (lambda: ex.solve(network(), [1.0], "exact"), "method", "str"),
    "method unmade": (lambda: ex.solve(network(), [1.0], ex.Exact), "method", "Exact"),
}


def _words(rule: str) -> str:
    """A pattern of the literal words, `.*` apart."""
    return ".*".join(map(re.escape, rule.split(".*")))


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=rf"`{re.escape(argument)}`.*{_words(rule)}"):
        build()


def test_nearly_hermitian_and_nearly_bounded_matrices_pass() -> None:
    h = systems.random_hermitian(4, 1)
    network(hamiltonian=h + 1e-15 * np.triu(np.ones((4, 4)), 1))
    c = systems.random_correlation(4, 2, (0.0, 1.0, 1.0, 0.0))
    network(hamiltonian=h, start=c)
    with pytest.raises(ValueError, match="hamiltonian"):
        network(hamiltonian=h + 1e-9 * np.triu(np.ones((4, 4)), 1))
    with pytest.raises(ValueError, match="start"):
        network(hamiltonian=h, start=c + 1e-9 * np.eye(4))


TRACED: dict[str, tuple[Callable[[Array], Any], Any, Any, str]] = {
    "width": (lambda x: flat(width=x).energies, -1.0, 1.0, "`width` must be positive"),
    "rate": (lambda x: flat(coupling=x).couplings, -1.0, 1.0, "`coupling` must be non-negative"),
    "beta": (lambda x: lead(beta=x).initial_occupations, NAN, INF, "`beta` must be free of NaN"),
    "mu": (lambda x: lead(mu=x).initial_occupations, INF, 1.0, "`mu` must be finite"),
    "occupation": (
        lambda x: junction(occupation=x).initial_occupations,
        1.5,
        1.0,
        r"`occupation` must be within \[0, 1\]",
    ),
    "occupations": (
        lambda x: lead(occupations=x).initial_occupations,
        np.array([0.0, 1.0, -0.1]),
        np.array([0.0, 1.0, 0.1]),
        r"`occupations` must be within \[0, 1\]",
    ),
    "hamiltonian": (
        lambda x: network(hamiltonian=x).initial_correlation,
        np.triu(np.ones((4, 4))),
        np.ones((4, 4)),
        "`hamiltonian` must be Hermitian",
    ),
    "start": (
        lambda x: network(start=x).initial_correlation,
        2 * np.eye(4),
        np.eye(4),
        "`start` must be a correlation matrix",
    ),
    "ts": (
        lambda x: ex.solve(network(), x).ledger.entropy_production,
        np.array([1.0, INF]),
        np.array([1.0, 2.0]),
        "`ts` must be finite",
    ),
}


@pytest.mark.parametrize("name", TRACED)
def test_traced_bad_values_fail_when_the_program_runs(name: str) -> None:
    build, bad, good, message = TRACED[name]
    run = eqx.filter_jit(build)
    assert np.isfinite(run(jnp.asarray(good))).all()
    with pytest.raises(RuntimeError, match=message):
        jax.block_until_ready(run(jnp.asarray(bad)))


AT_ONCE = TRACED | {
    "window width": (
        lambda x: ex.WindowBath(centers=(0.0, 1.0), volumes=(2, 2), width=x).width,
        2.0,
        0.5,
        "`width` must be",
    ),
    "duration": (
        lambda x: ex.Held(ex.PiecewiseLinear((0.0, 1.0), (0.0, 1.0)), 0.0, 1.0, x).duration,
        2.0,
        1.0,
        "`duration` must be within the times",
    ),
    "system": (
        lambda x: ex.Product(system=x, windows=(0,)).system,
        2 * np.eye(2),
        np.eye(2) / 2,
        "`system` must be of unit trace",
    ),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_is_differentiated_outside_of_jit_is_checked_at_once(name: str) -> None:
    build, bad, _, message = AT_ONCE[name]
    bad = jnp.asarray(bad)
    with pytest.raises(ValueError, match=rf"{message}.*, but (is|has) [^T]"):
        jax.jvp(build, (bad,), (jnp.ones_like(bad),))
    with pytest.raises(ValueError, match=rf"{message}.*, but (is|has) [^T]"):
        jax.vjp(build, bad)


def test_one_bad_member_of_a_batch_fails() -> None:
    widths = jnp.array([1.0, 2.0])
    assert jax.vmap(lambda w: flat(width=w).energies)(widths).shape == (2, 4)
    with pytest.raises(RuntimeError, match="`width` must be positive"):
        jax.vmap(lambda w: flat(width=w).energies)(widths - 1.5)


SINGLE = """
import entropax as ex, jax, numpy as np
assert not jax.config.jax_enable_x64
calls = [
    lambda: ex.Lead.flat(modes=3, width=1.0, coupling=1.0, beta=1.0, mu=0.0),
    lambda: ex.Lead([0.0, 1.0], [1.0, 1.0], 1.0, 0.0),
    lambda: ex.FermionNetwork(np.eye(3), (0,), ((1, 2),), (1.0,), (0.0,)),
]
for call in calls:
    try:
        call()
    except ValueError as error:
        assert "float64" in str(error) and "JAX_ENABLE_X64" in str(error), error
    else:
        raise SystemExit("no error")
jax.config.update("jax_enable_x64", True)
model = ex.FermionNetwork(np.eye(3), (0,), ((1, 2),), (1.0,), (0.0,))
jax.config.update("jax_enable_x64", False)
try:
    ex.solve(model, [1.0])
except ValueError as error:
    assert "float64" in str(error), error
else:
    raise SystemExit("no error from solve")
print("refused")
"""


def test_single_precision_is_refused_in_words() -> None:
    environment = os.environ | {"JAX_ENABLE_X64": "0"}
    done = subprocess.run(
        [sys.executable, "-c", SINGLE], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "refused"
