"""The Lamb shift of Davies and Redfield equations against principal values by QUADPACK."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method.ideal.rates import transitions


@pytest.mark.parametrize("kind", ["random", "level"])
def test_lamb_shift_moves_states(kind: str) -> None:
    """Whole matrices, what commutes with a degenerate level, and Redfield, with the shift."""
    case = ideal.case(kind)
    shifts = [functools.cache(lambda w, r=rate: twin.principal_value(r, w)) for rate in ideal.RATES]
    shift = sum(
        moved(w) * a.conj().T @ a
        for operator, moved in zip(case.operators, shifts, strict=True)
        for w, a in twin.parts(case.h, operator)
    )
    jumps = [*case.jumps[0], *case.jumps[1]]

    def davies(h: np.ndarray) -> np.ndarray:
        return twin.generator(h, jumps)

    vectors = np.linalg.eigh(case.h)[1]
    inside = twin.random_state(np.random.default_rng(3), 4)
    same = np.ones((2, 2)) if kind == "level" else np.eye(2)
    inside = inside * scipy.linalg.block_diag(1.0, same, 1.0)
    level = vectors @ inside @ vectors.conj().T
    for start, sector in ((case.rho, False), (level, True)):
        model = case.model(ex.Product(start))
        method = ex.Davies(lamb_shift=True, housekeeping=False)
        decided = method.plan(model, jnp.array(ideal.TIMES)).decided
        assert (decided.pairs is not None) is sector
        ledger = ex.solve(model, ideal.TIMES, method).ledger
        states = [twin.propagate(davies(case.h + shift), start, t) for t in ideal.TIMES]
        np.testing.assert_allclose(ledger.state, states, rtol=0, atol=1e-7)
        np.testing.assert_allclose(ledger.residual, 0.0, atol=1e-8)
        without = [twin.propagate(davies(case.h), start, t) for t in ideal.TIMES]
        moved = np.max(np.abs(np.array(states) - without))
        # populations alone do not see it
        assert moved > 1e-3 or (kind == "random" and sector)

    def redfield(rho: np.ndarray) -> np.ndarray:
        total = -1j * (case.h @ rho - rho @ case.h)
        for operator, rate, moved in zip(case.operators, ideal.RATES, shifts, strict=True):
            both = lambda w, r=rate, s=moved: r(w) + 2j * s(w)  # noqa: E731
            total = total + twin.redfield(case.h, operator, both, rho)
        return total

    found = ideal.liouvillian(ex.Redfield(lamb_shift=True), case.model())
    ours = twin.complex_map(np.asarray(found))
    np.testing.assert_allclose(ours, twin.liouvillian(redfield, 4), rtol=0, atol=1e-7)


@eqx.filter_jit
def first_shift(model: ex.OpenSystem) -> jax.Array:
    """S between levels, of the first channel."""
    return transitions(model, (model.energies, jnp.eye(2)), lamb_shift=True)[0].shift


@pytest.mark.parametrize("name", ["drude-lorentz", "super-ohmic"])
def test_lamb_shift_integral(name: str) -> None:
    bath = ex.ThermalBath(0.9, ideal.SPECTRA[name][0])
    start = ex.Product(system=0)
    model = ex.OpenSystem(energies=(0.0, 0.7), couplings=[ex.Coupling(twin.SX, bath)], start=start)
    shift = first_shift(model)
    rate = jax.jit(lambda v: bath.rate(v))
    for i, j, w in ((0, 1, 0.7), (1, 0, -0.7), (0, 0, 0.0)):
        expected = twin.principal_value(lambda v: float(rate(jnp.asarray(v))), w)
        np.testing.assert_allclose(shift[i, j], expected, rtol=0, atol=2e-7)


def test_lamb_shift_of_cold_fermions_and_of_peaks() -> None:
    """Steps at mu are resolved; a peak between the nodes is told."""

    def shift(bath):
        operator = twin.LOWER if bath.statistics == "fermi" else twin.SX
        start = ex.Product(system=0)
        model = ex.OpenSystem(
            energies=(0.0, 1.0), couplings=[ex.Coupling(operator, bath)], start=start
        )
        return first_shift(model)[0, 1]

    bell = ex.CustomSpectrum(lambda w: 0.1 * jnp.exp(-((w - 0.3) ** 2) / 4), decays=True)
    for beta, mu, cited in ((50.0, 0.5, -0.0060991813), (1000.0, 0.97, -0.0476421)):  # QUADPACK
        found = shift(ex.ThermalBath(beta, bell, "fermi", mu))
        np.testing.assert_allclose(found, cited, rtol=2e-6)
    peak = ex.CustomSpectrum(lambda w: 1e-3 * w / ((w**2 - 4) ** 2 + 4e-4 * w**2), decays=True)
    assert np.isnan(shift(ex.ThermalBath(1.0, peak)))
    model = ideal.qubit_at(ex.ThermalBath(1.0, peak))
    with pytest.raises(RuntimeError, match="it is not resolved"):
        ex.steady_state(model, ex.Davies(lamb_shift=True))
    odd = ex.ThermalBath(1.0, ideal.OHMIC, "fermi")
    dot = ex.OpenSystem((0.0, 1.0), [ex.Coupling(twin.LOWER, odd)], ex.Product(system=0))
    with pytest.raises(ValueError, match="must be one of all energies"):
        ex.steady_state(dot, ex.Davies(lamb_shift=True))
