"""Open systems: shared baths, what is driven, bases, and misuse in words."""

import re
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases import ideal
from cases.matrices import random_hermitian
from cases.windows import KEY, QUENCH, QUENCH_TIMES, SX, bath, coupling, driven, model
from twins import lindblad as twin

import entropax as ex


def test_couplings_share_the_bath_they_were_handed() -> None:
    one, other = bath(), bath()
    built = model(
        couplings=[coupling(bath=b) for b in (one, other, one)],
        start=ex.Product(system=0, windows=(0, 1)),
    )
    assert built.bath_of_coupling == (0, 1, 0)
    assert len(built.baths) == 2
    assert built.couplings[2].bath is None
    assert built.dimension == 2 * 2 * 2


def test_models_are_pytrees() -> None:
    built = model(couplings=(coupling(matrix=ex.EigenstateThermalization(lambda e, w: e * 0 + 1)),))
    leaves = jax.tree.leaves(built)
    assert all(eqx.is_array(leaf) for leaf in leaves)
    again = jax.jit(lambda m: m)(built)
    assert jax.tree.structure(again) == jax.tree.structure(built)


def test_operators_and_vectors_between_eigenstates(rng: np.random.Generator) -> None:
    h, s = random_hermitian(rng, 3), random_hermitian(rng, 3)
    built = ex.OpenSystem(
        hamiltonian=h,
        couplings=(ex.Coupling(s, bath(), 0.1, ex.GOE(1.0)),),
        start=ex.Product(system=0, windows=(0,)),
    )
    energies, vectors = built.spectrum()
    np.testing.assert_allclose(built.in_eigenbasis(jnp.asarray(h)), np.diag(energies), atol=1e-14)
    inside = np.asarray(built.in_eigenbasis(jnp.asarray(s)))
    np.testing.assert_allclose(
        np.linalg.eigvalsh(inside), np.linalg.eigvalsh(s), rtol=0, atol=1e-13
    )
    assert vectors is not None
    np.testing.assert_allclose(built.to_eigenbasis(vectors), np.eye(3), rtol=0, atol=1e-14)


def test_a_driven_model_at_a_time_is_one_that_rests() -> None:
    built = driven(QUENCH)
    stretch = (jnp.array(3.0), jnp.array(4.0))
    resting = built.within(jnp.array(4.0), stretch)
    np.testing.assert_array_equal(resting.spectrum()[0], [0.0, 2.0])
    assert built.is_driven
    assert not resting.is_driven
    np.testing.assert_array_equal(built.breaks, [3.0, 4.0, 50.0])
    np.testing.assert_array_equal(built.before().spectrum()[0], [0.0, 1.0])
    ramp = driven(ex.PiecewiseLinear((0.0, 4.0), (1.0, 3.0)))
    np.testing.assert_array_equal(ramp.slopes(jnp.array(1.0), stretch), [0.0, 0.5])
    assert not ramp.is_piecewise_constant


def test_drives_and_interaction_add_up(rng: np.random.Generator) -> None:
    v, g = random_hermitian(rng, 2), random_hermitian(rng, 2)
    link = ex.Coupling(SX, ex.ThermalBath(1.0, ex.FlatSpectrum(1.0)))
    built = ex.OpenSystem(
        (0.0, 1.0),
        [link],
        ex.Product(0),
        interaction=v,
        drives=[ex.Drive(g, lambda t: t**2)],
    )
    stretch = (jnp.zeros(()), jnp.array(9.0))
    resting = built.within(jnp.array(3.0), stretch)
    expected = np.diag([0.0, 1.0]) + v + 9.0 * g
    np.testing.assert_allclose(resting.total_hamiltonian(), expected, rtol=0, atol=1e-14)
    slope = built.hamiltonian_slope(jnp.array(3.0), stretch)
    np.testing.assert_allclose(slope, 6.0 * g, rtol=0, atol=1e-14)


def test_a_rotating_frame_turns_the_interaction() -> None:
    """d/dt of e^{iGt} V e^{-iGt} at 0, with the sign of the states' frame."""
    frame, v = np.diag([0.0, 2.0]), SX
    link = ex.Coupling(SX, ex.ThermalBath(1.0, ex.FlatSpectrum(1.0)))
    built = ex.OpenSystem((0.0, 1.0), [link], ex.Product(0), interaction=v, frame=frame)
    np.testing.assert_allclose(
        built.frame_slope(), -1j * (frame @ v - v @ frame), rtol=0, atol=1e-15
    )


def test_a_system_alone_turns_by_its_hamiltonian(rng: np.random.Generator) -> None:
    """Without couplings there is no bath, no heat and no entropy."""
    h, rho = random_hermitian(rng, 3), twin.random_state(rng, 3)
    alone = ex.OpenSystem(hamiltonian=h, couplings=(), start=ex.Product(rho))
    assert (alone.baths, alone.is_ideal) == ((), True)
    ts = np.array([0.0, 0.4, 2.0])
    ledger = ex.solve(alone, ts, ex.Lindblad()).ledger
    turned = [scipy.linalg.expm(-1j * h * t) for t in ts]
    expected = [u @ rho @ u.conj().T for u in turned]
    np.testing.assert_allclose(ledger.state, expected, rtol=0, atol=1e-9)
    assert ledger.heat.shape == ledger.particle_currents.shape == (3, 0)
    for change in (ledger.entropy_production, ledger.work, ledger.residual):
        np.testing.assert_allclose(change, 0.0, atol=1e-9)


BAD: dict[str, tuple[Callable, str, str]] = {
    "S too large": (
        lambda: model(couplings=(coupling(operator=np.eye(3)),)),
        "couplings[0].operator",
        "(2)",
    ),
    "both energies and h": (lambda: model(hamiltonian=np.eye(2)), "energies", "exactly one"),
    "no energies": (lambda: model(energies=()), "energies", "at least one energy"),
    "no start": (lambda: model(start=None), "start", "a Product, a Joint, a JointState or a Gibbs"),
    "couplings one": (lambda: model(couplings=coupling()), "couplings", "sequence"),
    "baths of two kinds": (
        lambda: model(
            couplings=(coupling(), ex.Coupling(SX, ex.ThermalBath(1.0, ex.FlatSpectrum(1.0))))
        ),
        "couplings",
        "of one kind, but have WindowBath and ThermalBath",
    ),
    "a frame beside windows": (
        lambda: model(frame=np.eye(2)),
        "frame",
        "left out where baths are made of windows",
    ),
    "no method": (lambda: ex.solve(model(), [1.0]), "method", "Schrodinger"),
    "exact of an open system": (lambda: ex.solve(model(), [1.0], ex.Exact()), "model", "Junction"),
    "a quench without its last value": (
        lambda: driven(ex.PiecewiseConstant(times=(1.0,), values=(1.0,))),
        "values",
        "have one entry more than `times` (2), but has 1",
    ),
    "quenches that go back in time": (
        lambda: driven(ex.PiecewiseConstant(times=(2.0, 1.0), values=(1.0, 2.0, 3.0))),
        "times",
        "be strictly ascending, but has 1.0 at index 1",
    ),
    "a quench before the start": (
        lambda: driven(ex.PiecewiseConstant(times=(-2.0,), values=(1.0, 2.0))),
        "times",
        "be non-negative",
    ),
    "a line of one node": (
        lambda: driven(ex.PiecewiseLinear(times=(0.0,), values=(1.0,))),
        "values",
        "2 or more, but has 1",
    ),
    "an array": (
        lambda: driven(lambda t: jnp.ones(2) * t),
        "energies[1]",
        "return a number at each time, but returns shape (2,)",
    ),
    "too short": (
        lambda: ex.solve(
            driven(ex.PiecewiseLinear((0.0, 3.0), (1.0, 2.0))), QUENCH_TIMES, ex.Schrodinger(KEY)
        ),
        "energies[1]",
        "is defined, which it must be from time 0 on (0 to 3), but is [4",
    ),
    "late": (
        lambda: ex.solve(driven(ex.PiecewiseLinear((1.0, 9.0), (1.0, 2.0))), [2.0], ex.EMME()),
        "energies[1]",
        "is defined, which it must be from time 0 on (1 to 9)",
    ),
    "undefined": (
        lambda: ex.solve(driven(lambda t: 1.0 / t), [1.0], ex.Schrodinger(KEY)),
        "energies[1]",
        "be finite at 0 and at all of `ts`, but has inf at index 1",
    ),
    "before": (
        lambda: ex.solve(driven(QUENCH), [-1.0], ex.Schrodinger(KEY)),
        "ts",
        "be non-negative where a model is driven, but has -1.0",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=rf"`{re.escape(argument)}`.*{re.escape(rule)}"):
        build()


BAD_OF_IDEAL_BATHS: dict[str, tuple[Callable, str]] = {
    "operator size": (
        lambda: ideal.qubit(couplings=[ex.Coupling(np.eye(3), ideal.BATH)]),
        r"`couplings\[0\].operator` must have the system's dimension \(2\), but has shape \(3, 3\)",
    ),
    "interaction size": (
        lambda: ideal.qubit(interaction=np.eye(3)),
        "`interaction` must have the sys",
    ),
    "drive size": (
        lambda: ideal.qubit(drives=[ex.Drive(np.eye(3), jnp.sin)]),
        r"`drives\[0\].operator` must have the system's dimension",
    ),
    "two kinds": (
        lambda: ideal.qubit(couplings=[ex.Coupling(SX, ideal.BATH), ideal.window()]),
        "`couplings` must have baths of one kind, but have ThermalBath and WindowBath",
    ),
    "one drive": (
        lambda: ideal.qubit(drives=ex.Drive(SX, jnp.sin)),
        "`drives` must be a sequence, but is one Drive",
    ),
}


@pytest.mark.parametrize("name", BAD_OF_IDEAL_BATHS)
def test_bad_input_of_ideal_baths(name: str) -> None:
    build, message = BAD_OF_IDEAL_BATHS[name]
    with pytest.raises(ValueError, match=message):
        build()
