"""Master equations against the generator written out, closed forms, and their own laws."""

import dataclasses
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import riera
import scipy.linalg
from helpers import check_derivative, difference, random_hermitian
from scipy.special import sici

import entropax as ex
from entropax.method.kernels import finite_memory, long_memory
from entropax.model.matrices import Explicit
from entropax.solve import solve_prepared

pytestmark = pytest.mark.usefixtures("quick_compilation")
Array = np.ndarray
SX = np.array([[0.0, 1.0], [1.0, 0.0]])
TIMES = np.array([7.0, 0.0, 1.5, 40.0])
TIGHT: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-14}


def spin(volumes: tuple[int, int] = (400, 600), **changes: Any) -> ex.OpenSystem:
    given = {"strength": 3e-3, "matrix": ex.RandomBands(1.0), "start": None} | changes
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=volumes, width=0.5)
    link = ex.Coupling(SX, bath, given["strength"], given["matrix"])
    start = given["start"] or ex.Product(system=1, windows=(0,))
    return ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)


def rich(seed: int = 0, *, resonant: bool = True, matrix_start: bool = True) -> ex.OpenSystem:
    """Three levels, two baths, two operators on each; one of the matrices given."""
    rng = np.random.default_rng(seed)
    energies = np.array([0.0, 1.0, 3.0]) if resonant else np.array([0.0, 0.83, 2.9])
    first = ex.WindowBath(centers=(0.0, 1.0, 2.0, 3.0), volumes=(3, 5, 4, 6), width=1.0)
    second = ex.WindowBath(centers=(-1.0, 2.0, 0.0), volumes=(2, 4, 3), width=0.8)
    couplings = (
        ex.Coupling(random_hermitian(rng, 3), first, 0.06, ex.RandomBands(0.5, mean=0.4)),
        ex.Coupling(random_hermitian(rng, 3), first, 0.04, random_hermitian(rng, 18)),
        ex.Coupling(random_hermitian(rng, 3), second, 0.05, random_hermitian(rng, 9)),
        ex.Coupling(random_hermitian(rng, 3), second, 0.07, random_hermitian(rng, 9)),
    )
    system: Any = [0.2, 0.3, 0.5]
    if matrix_start:
        rho = random_hermitian(rng, 3)
        system = rho @ rho.conj().T / np.trace(rho @ rho.conj().T).real
    start = ex.Product(system=system, windows=([0.1, 0.2, 0.3, 0.4], 1))
    return ex.OpenSystem(energies=energies, couplings=couplings, start=start)


def written(model: ex.OpenSystem, **options: Any) -> Array:
    """The twin's generator for the same rates."""
    terms = [
        (float(c.strength), np.asarray(c.operator), n)
        for c, n in zip(model.couplings, model.bath_of_coupling, strict=True)
    ]
    twin = riera.Written(
        np.asarray(model.energies),
        terms,
        [np.asarray(b.centers) for b in model.baths],
        [b.volume for b in model.baths],
        [float(b.width) for b in model.baths],
    )

    baths = [model.baths[n] for n in model.bath_of_coupling]
    known = [_by_blocks(c.matrix, bath) for c, bath in zip(model.couplings, baths, strict=True)]

    def products(a: int, b: int) -> Array:
        """<B_b^* B_a> over pairs of windows: of the entries, or of mean and variance."""
        one, other = known[a], known[b]
        if one["entries"] is not None and other["entries"] is not None:
            out = np.zeros((baths[a].windows,) * 2, complex)
            where = baths[a].window_of_level
            for i, j in np.ndindex(*one["entries"].shape):
                weight = baths[a].volumes[where[i]] * baths[a].volumes[where[j]]
                product = np.conj(other["entries"][i, j]) * one["entries"][i, j]
                out[where[i], where[j]] += product / weight
            return out
        return np.conj(other["mean"]) * one["mean"] + (one["variance"] if a == b else 0.0)

    def averages(a: int) -> Array:
        return known[a]["average"]

    return twin.generator(products, averages, **options)


def _by_blocks(matrix: Any, bath: ex.WindowBath) -> dict[str, Any]:
    """What a matrix is made of, entry by entry: the averages over windows taken away (Eq. 8)."""
    count, where = bath.windows, bath.window_of_level
    average, mean = np.zeros(count), np.zeros((count, count), complex)
    if isinstance(matrix, Explicit):
        b = np.array(matrix.entries, complex)
        for i, w in enumerate(where):
            average[w] += b[i, i].real / bath.volumes[w]
        for i, w in enumerate(where):
            b[i, i] -= average[w]
        for i, j in np.ndindex(*b.shape):
            volume = bath.volumes[where[i]] * bath.volumes[where[j]]
            mean[where[i], where[j]] += b[i, j] / volume
        return {"entries": b, "mean": mean, "variance": None, "average": average}
    apart = 1.0 - np.eye(count)
    if isinstance(matrix, ex.GOE):
        variance = float(matrix.variance_) * np.ones((count, count))
    else:
        variance = float(matrix.variance_) * apart
        mean = (0.0 if matrix.mean_ is None else float(matrix.mean_)) * apart + 0j
    return {"entries": None, "mean": mean, "variance": variance, "average": average}


def flow(model: ex.OpenSystem, generator: Array, times: Array) -> Array:
    """All rho(E), by the exponential."""
    start = np.asarray(model.start.on_windows(model))
    if model.start.is_diagonal:
        start = np.einsum("ij,j...->ij...", np.eye(model.levels), start)
    return np.array([(scipy.linalg.expm(generator * t) @ start.ravel()) for t in times]).reshape(
        len(times), *start.shape
    )


def assert_same(led: ex.WindowLedger, states: Array, tolerance: float) -> None:
    joint = np.moveaxis(np.diagonal(states, axis1=1, axis2=2), -1, 1).real
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=tolerance)
    system = states.sum(axis=tuple(range(3, states.ndim)))
    np.testing.assert_allclose(led.system_state, system, rtol=0, atol=tolerance)


# The memory integral


def test_memory_integrals_against_quadrature() -> None:
    """h integrated to t, and its limit (Riera Eqs. 44, B6, B12), on and off resonance."""
    offsets = np.array([0.0, 0.3, -0.3, 1.0, -1.0, 1.7, -4.0])
    for reduced in (1e-3, 0.7, 5.0, 60.0):
        found = finite_memory(jnp.asarray(offsets), jnp.array(reduced))
        expected = [riera.memory_integral(x, reduced) for x in offsets]
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-11)
    limit = long_memory(jnp.asarray(offsets))
    np.testing.assert_allclose(limit, [riera.window_shape(x) for x in offsets], rtol=0, atol=1e-15)
    late = finite_memory(jnp.asarray(offsets), jnp.array(1e6))
    np.testing.assert_allclose(late, limit, rtol=0, atol=1e-6)
    zeta = 2 / np.pi * (sici(5.0)[0] - np.sin(2.5) ** 2 / 2.5)
    assert 2 * finite_memory(jnp.zeros(()), jnp.array(5.0)).real == pytest.approx(zeta, rel=1e-14)
    assert np.all(np.asarray(finite_memory(jnp.asarray(offsets), jnp.zeros(()))) == 0.0)


@pytest.mark.parametrize("offset", [0.0, 0.4, -1.0, 1.0, 2.3])
def test_memory_integral_derivatives(offset: float) -> None:
    def parts(x: jax.Array, t: jax.Array) -> jax.Array:
        value = finite_memory(x, t)
        return value.real + 0.3 * value.imag

    args = (np.array(offset), np.array(3.0))
    check_derivative(parts, args, (np.array(1.0), np.array(0.7)), tolerance=1e-8)


# The equation


@pytest.mark.parametrize("resonant", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_emme_is_the_exponential_of_the_written_generator(seed: int, resonant: bool) -> None:
    model = rich(seed, resonant=resonant)
    led = ex.solve(model, TIMES, ex.EMME(**TIGHT)).ledger
    states = flow(model, written(model), TIMES)
    assert_same(led, states, 1e-9)
    # laws: trace, and positive conditional states; on resonance the distribution of total energy
    np.testing.assert_allclose(led.joint.sum(axis=(1, 2, 3)), 1.0, rtol=0, atol=1e-10)
    lowest = np.linalg.eigvalsh(np.moveaxis(states, (1, 2), (-2, -1))).min()
    assert lowest > -1e-10
    if resonant:
        total = (
            np.asarray(model.energies)[:, None, None]
            + np.asarray(model.baths[0].centers)[:, None]
            + np.asarray(model.baths[1].centers)
        )
        for value in np.unique(np.round(total, 9)):
            share = np.asarray(led.joint)[:, np.abs(total - value) < 1e-9].sum(-1)
            np.testing.assert_allclose(share, share[0], rtol=0, atol=1e-10)
    # without shifts, another equation: the comparison can fail
    plain = ex.solve(model, TIMES, ex.EMME(lamb_shift=False, first_order=False, **TIGHT)).ledger
    with pytest.raises(AssertionError):
        assert_same(plain, states, 1e-4)
    np.testing.assert_allclose(plain.joint, led.joint, rtol=0, atol=1e-9)


@pytest.mark.parametrize("resonant", [True, False])
def test_populations_alone_by_the_exponential_and_by_a_solver(resonant: bool) -> None:
    """Several baths and operators: the generator of the exponential must be symmetric."""
    model = rich(6, resonant=resonant, matrix_start=False)
    method = ex.EMME()
    assert method.prepare(model, jnp.zeros(1)).coherences is False
    states = flow(model, written(model), TIMES)
    assert_same(ex.solve(model, TIMES, method).ledger, states, 1e-9)
    assert_same(
        ex.solve(model, TIMES, ex.EMME(solver=diffrax.Dopri8(), **TIGHT)).ledger, states, 1e-9
    )


@pytest.mark.parametrize(("gap", "lead_to"), [(1.0, 2), (1.5, 10)])
def test_populations_out_of_reach_are_left_out(gap: float, lead_to: int) -> None:
    """On resonance one jump leads to and fro; off resonance it is shared by two windows."""
    bath = ex.WindowBath(centers=np.arange(6.0), volumes=(10, 12, 14, 17, 20, 24), width=1.0)
    link = ex.Coupling(SX, bath, 3e-2, ex.RandomBands(1.0))
    model = ex.OpenSystem((0.0, gap), (link,), ex.Product(system=1, windows=(2,)))
    ts = jnp.asarray(TIMES)
    method = ex.EMME().prepare(model, ts)
    everything = dataclasses.replace(method, reached=None)
    assert isinstance(method, ex.EMME)
    assert method.reached is not None
    assert len(method.reached) == lead_to
    some, all_of_it = (
        solve_prepared(model, ts, m, None, diffrax.NoProgressMeter()).ledger
        for m in (method, everything)
    )
    np.testing.assert_allclose(some.joint, all_of_it.joint, rtol=0, atol=1e-14)
    np.testing.assert_allclose(some.clausius, all_of_it.clausius, rtol=0, atol=1e-12)
    assert np.all(np.sum(some.joint > 1e-13, axis=(1, 2)) <= len(method.reached))

    def final(energy: jax.Array) -> jax.Array:  # traced energies: nothing is known
        turned = ex.OpenSystem((0.0, energy), (link,), ex.Product(system=1, windows=(2,)))
        return ex.solve(turned, [7.0], ex.EMME(coherences=False)).ledger.joint[0]

    expected = all_of_it.joint[0]
    np.testing.assert_allclose(jax.jit(final)(gap), expected, rtol=0, atol=1e-14)


def test_redfield_is_the_exponential_of_the_written_generator() -> None:
    rng = np.random.default_rng(5)
    baths = [ex.WindowBath((0.0, 1.0), (4, 6), 0.8), ex.WindowBath((0.5, -0.6), (3, 5), 0.7)]
    couplings = [
        ex.Coupling(random_hermitian(rng, 2), bath, 0.06, random_hermitian(rng, bath.size))
        for bath in (baths[0], baths[1], baths[0])
    ]
    start = ex.Product(system=[[0.4, 0.3j], [-0.3j, 0.6]], windows=([0.3, 0.7], 1))
    model = ex.OpenSystem(energies=(0.0, 1.1), couplings=couplings, start=start)
    # it does not keep populations positive, here too
    led = ex.solve(model, TIMES, ex.EMME(secular=False, **TIGHT), throw=False).ledger
    states = flow(model, written(model, secular=False), TIMES)
    assert_same(led, states, 1e-9)
    with pytest.raises(AssertionError):
        assert_same(ex.solve(model, TIMES, ex.EMME(**TIGHT)).ledger, states, 1e-4)


@pytest.mark.parametrize("secular", [True, False])
def test_finite_memory_is_the_written_generator_at_each_time(secular: bool) -> None:
    bath = ex.WindowBath(centers=(0.0, 0.9), volumes=(4, 6), width=0.5)
    link = ex.Coupling(SX + np.diag([0.3, -0.4]), bath, 0.1, ex.GOE(variance=0.4))
    start = ex.Product(system=[[0.4, 0.3j], [-0.3j, 0.6]], windows=([0.3, 0.7],))
    model = ex.OpenSystem(energies=(0.0, 1.1), couplings=(link,), start=start)
    ts = np.array([0.5, 1.5])
    led = ex.solve(model, ts, ex.EMME(memory="finite", secular=secular, **TIGHT)).ledger

    def field(t: float, y: Array) -> Array:
        known: dict[float, complex] = {}

        def shape(x: float) -> complex:
            if round(x, 12) not in known:
                known[round(x, 12)] = riera.memory_integral(x, 0.5 * t)
            return known[round(x, 12)]

        return written(model, shape=shape, secular=secular) @ y

    y, now, states, step = flow(model, np.zeros((8, 8)), np.zeros(1)).ravel(), 0.0, [], 0.025
    for t in ts:
        while now < t - 1e-9:
            a = field(now, y)
            b = field(now + step / 2, y + step / 2 * a)
            c = field(now + step / 2, y + step / 2 * b)
            d = field(now + step, y + step * c)
            y, now = y + step / 6 * (a + 2 * b + 2 * c + d), now + step
        states.append(y.reshape(2, 2, 2))
    assert_same(led, np.array(states), 1e-8)


def test_finite_memory_of_two_windows_in_closed_form() -> None:
    """Riera Eq. E7."""
    model, lam, delta, v = spin(), 3e-3, 0.5, np.array([400.0, 600.0])
    ts = np.linspace(0.0, 60.0, 13)
    rate = 2 * np.pi * lam**2 / delta * v[0] * v[1]
    slope = rate * (1 / v).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        si, ci = sici(delta * ts)
        # the integral of zeta
        xi = ts * si + (np.cos(delta * ts) - 1) / delta
        xi = 2 / np.pi * (xi - (np.euler_gamma + np.log(delta * ts) - ci) / delta)
    xi[0] = 0.0
    exact = 1.0 - rate / v[0] * (1 - np.exp(-slope * xi)) / slope
    for options in ({}, {"coherences": True}, {"secular": False}):
        led = ex.solve(model, ts, ex.EMME(memory="finite", **options)).ledger
        np.testing.assert_allclose(led.joint[:, 1, 0], exact, rtol=0, atol=1e-8)
    wrong = ex.solve(model, ts, ex.EMME()).ledger.joint[:, 1, 0]
    assert np.max(np.abs(wrong - exact)) > 0.1


@pytest.mark.parametrize("method", ["exponential", "solver", "states"])
def test_two_windows_relax_as_breuer_gemmer_and_michel_say(method: str) -> None:
    """PRE 73, 016139 (2006): p_e = g1/(g1+g2) + g2/(g1+g2) exp(-(g1+g2) t)."""
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(500, 500), width=0.5)
    link = ex.Coupling(SX, bath, 5e-4, ex.RandomBands())
    start = ex.Product(system=1, windows=(0,))
    model = ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)
    total = 2 * 2 * np.pi * 5e-4**2 * 500 / 0.5
    ts = np.array([0.25, 0.5, 1.0, 2.0, 4.0]) / total
    options = {
        "exponential": {},
        "solver": {"solver": diffrax.Dopri5()},
        "states": {"coherences": True},
    }[method]
    led = ex.solve(model, ts, ex.EMME(**options)).ledger
    cited = [0.889400, 0.803265, 0.683940, 0.567668, 0.509158]
    np.testing.assert_allclose(led.joint[:, 1, 0], cited, rtol=0, atol=5e-7)


def test_steady_state_and_detailed_balance() -> None:
    """p_eq = P(E_tot) V_(E_tot - eps) / sum V (Riera Eqs. 33, 36); S_obs never falls (Eq. 57)."""
    bath = ex.WindowBath(centers=np.arange(6.0), volumes=(3, 9, 7, 20, 11, 2), width=1.0)
    operator = random_hermitian(np.random.default_rng(0), 3)
    link = ex.Coupling(operator, bath, 0.05, ex.RandomBands())
    start = ex.Product(system=[0.1, 0.6, 0.3], windows=([0.3, 0.1, 0.2, 0.1, 0.1, 0.2],))
    model = ex.OpenSystem(energies=(0.0, 1.0, 2.0), couplings=(link,), start=start)
    led = ex.solve(model, np.array([*np.linspace(0.0, 30.0, 40), 1e6]), ex.EMME()).ledger
    total = np.arange(3)[:, None] + np.arange(6)
    first, last = np.asarray(led.joint)[[0, -1]]
    volume = np.broadcast_to(np.array([3.0, 9, 7, 20, 11, 2]), (3, 6))
    for value in range(8):
        shell = total == value
        expected = first[shell].sum() * volume[shell] / volume[shell].sum()
        np.testing.assert_allclose(last[shell], expected, rtol=0, atol=1e-10)
    assert np.all(np.diff(led.observational_entropy) > -1e-12)
    assert led.entropy_production[0] == pytest.approx(0.0, abs=1e-13)
    np.testing.assert_allclose(
        led.heat[:, 0], led.system_energy - led.system_energy[0], rtol=0, atol=1e-10
    )


def test_the_frozen_bath_relaxes_at_the_rates_of_its_start() -> None:
    model = spin()
    ts = np.linspace(0.0, 20.0, 5)
    led = ex.solve(model, ts, ex.BornMarkovSecular()).ledger
    down = 2 * np.pi * 9e-6 / 0.5 * 600
    np.testing.assert_allclose(led.joint[:, 1, 0], np.exp(-down * ts), rtol=0, atol=1e-8)
    np.testing.assert_allclose(led.joint.sum(1)[:, 1], 0.0, rtol=0, atol=1e-15)
    # what the spin lost the bath was given, though its windows stay as they were
    np.testing.assert_allclose(led.energy[:, 0], 1.0 - np.exp(-down * ts), rtol=0, atol=1e-8)
    np.testing.assert_allclose(led.window_energy, 0.0, rtol=0, atol=1e-15)
    canonical = spin(start=ex.Product(system=0, beta=(1.0,)))
    late = ex.solve(canonical, [1e4], ex.BornMarkovSecular()).ledger
    p = np.array([400.0, 600.0 * np.exp(-1.0)])
    rates = np.array([600.0 * p[0], 400.0 * p[1]])  # down, up
    expected = rates[1] / rates.sum()
    assert float(late.system_state[0, 1, 1]) == pytest.approx(expected, abs=1e-8)


def test_the_frozen_equation_is_the_averaged_written_generator() -> None:
    """Coherences and shifts too: rates averaged over the start's windows."""
    model = rich(4)
    led = ex.solve(model, TIMES, ex.BornMarkovSecular(**TIGHT)).ledger
    generator = written(model)
    p1, p2 = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0])
    blow = np.einsum("ia,jb,m,n->ijmnab", np.eye(3), np.eye(3), p1, p2).reshape(108, 9)
    shrink = np.einsum("ia,jb,m,n->abijmn", np.eye(3), np.eye(3), np.ones(4), np.ones(3))
    small = shrink.reshape(9, 108) @ generator @ blow
    start = np.asarray(model.start.on_windows(model)).sum((2, 3))
    states = np.array([scipy.linalg.expm(small * t) @ start.ravel() for t in TIMES])
    states = states.reshape(-1, 3, 3)
    np.testing.assert_allclose(led.system_state, states, rtol=0, atol=1e-9)
    joint = np.diagonal(states, axis1=1, axis2=2).real[..., None, None] * p1[:, None] * p2
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=1e-9)
    # on resonance every jump hands over what the system loses
    gone = led.system_energy - led.system_energy[1]
    np.testing.assert_allclose(led.heat.sum(-1) - led.heat.sum(-1)[1], gone, rtol=0, atol=1e-9)


def test_levels_of_one_energy_need_coherences_and_get_them() -> None:
    """Populations feed coherences between equal energies; None finds out, False is refused."""
    rng = np.random.default_rng(1)
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(5, 7), width=0.5)
    link = ex.Coupling(random_hermitian(rng, 3), bath, 0.1, ex.RandomBands())
    start = ex.Product(system=2, windows=(0,))
    model = ex.OpenSystem(energies=(0.0, 0.0, 1.0), couplings=(link,), start=start)
    led = ex.solve(model, [3.0], ex.EMME(**TIGHT)).ledger
    assert_same(led, flow(model, written(model), np.array([3.0])), 1e-9)
    assert abs(led.system_state[0, 0, 1]) > 1e-3
    with pytest.raises(RuntimeError, match="levels of the system have one energy"):
        jax.block_until_ready(ex.solve(model, [3.0], ex.EMME(coherences=False)).ledger.joint)


def test_a_jump_no_window_can_take_has_no_rate() -> None:
    bath = ex.WindowBath(centers=(0.0, 2.0), volumes=(5, 7), width=0.5)
    link = ex.Coupling(SX, bath, 0.1, ex.RandomBands())
    start = ex.Product(system=1, windows=(0,))
    model = ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)
    with pytest.warns(UserWarning, match=r"transitions 1 -> 0, 0 -> 1 of `couplings\[0\]`"):
        led = ex.solve(model, [100.0], ex.EMME()).ledger
    assert led.joint[0, 1, 0] == pytest.approx(1.0, abs=1e-14)


def test_a_jump_is_shared_between_neighbouring_windows() -> None:
    """At omega = 0.7 between tiles of width 1: weights 0.3 and 0.7 (Riera Eq. B12)."""
    bath = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(10, 10, 10), width=1.0)
    link = ex.Coupling(SX, bath, 1e-4, ex.GOE(variance=1.0))
    start = ex.Product(system=1, windows=(1,))
    model = ex.OpenSystem(energies=(0.0, 0.7), couplings=(link,), start=start)
    led = ex.solve(model, [1.0], ex.EMME()).ledger
    gained = np.asarray(led.joint)[0, 0]
    np.testing.assert_allclose(gained / gained.sum(), [0.0, 0.3, 0.7], atol=1e-6)


def test_batches_equal_loops() -> None:
    strengths = jnp.array([1e-3, 3e-3, 6e-3])
    ts = jnp.array([5.0, 0.0, 30.0])
    for method in (ex.EMME(), ex.EMME(solver=diffrax.Tsit5()), ex.EMME(memory="finite")):

        def joint(strength: jax.Array, method: ex.EMME = method) -> jax.Array:
            return ex.solve(spin(strength=strength), ts, method).ledger.joint

        together = jax.vmap(joint)(strengths)
        alone = np.stack([joint(s) for s in strengths])
        np.testing.assert_allclose(together, alone, rtol=0, atol=2e-9)


def test_equal_shapes_are_traced_once() -> None:
    traces: list[None] = []

    def keep(state: Any) -> jax.Array:
        traces.append(None)
        return state.energy

    for method in (ex.EMME(), ex.EMME(memory="finite"), ex.BornMarkovSecular()):
        ex.solve(spin(strength=1e-3), [1.0], method, save=keep)
        before = len(traces)
        ex.solve(spin(strength=2e-3), [2.0], method, save=keep)
        assert len(traces) == before
    assert traces


def test_probabilities_that_are_none_are_told() -> None:
    """Redfield far beyond weak coupling goes negative; secular the same model does not."""
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5)
    link = ex.Coupling(SX + np.diag([1.0, -1.0]), bath, 0.25, ex.GOE(variance=1.0))
    start = ex.Product(system=np.full((2, 2), 0.5), windows=(0,))
    model = ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)
    ts = np.linspace(0.0, 20.0, 9)
    sol = ex.solve(model, ts, ex.EMME(secular=False), throw=False)
    lowest = np.asarray(sol.ledger.joint).min((1, 2))
    np.testing.assert_array_equal(sol.failed, lowest <= -1e-6)
    np.testing.assert_array_equal(sol.result == ex.RESULTS.unphysical, sol.failed)
    assert lowest.min() < -0.1
    with pytest.raises(RuntimeError, match="Probabilities are negative"):
        jax.block_until_ready(ex.solve(model, ts, ex.EMME(secular=False)).ledger.joint)
    assert not np.any(ex.solve(model, ts, ex.EMME()).failed)


def test_a_rotated_identity_is_degenerate_too() -> None:
    """Gaps that are rounding are none: the eigenbasis of such a matrix means nothing."""
    vectors = np.linalg.eigh(random_hermitian(np.random.default_rng(3), 3))[1]
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5)
    link = ex.Coupling(np.ones((3, 3)), bath, 0.1, ex.GOE(variance=1.0))
    start = ex.Product(system=np.diag([1.0, 0.0, 0.0]), windows=(0,))
    spectra = []
    for h in (np.eye(3), vectors @ vectors.conj().T + np.diag([4e-16, 0.0, -4e-16])):
        model = ex.OpenSystem(couplings=(link,), start=start, hamiltonian=h)
        state = ex.solve(model, [3.0], ex.EMME(coherences=None)).ledger.system_state[0]
        spectra.append(np.linalg.eigvalsh(state))
    np.testing.assert_allclose(spectra[1], spectra[0], rtol=0, atol=1e-8)


def test_frozen_baths_have_no_observational_entropy() -> None:
    led = ex.solve(spin(), [1.0], ex.BornMarkovSecular()).ledger
    assert led.entropy_production is None
    assert led.observational_entropy is None


def test_no_times_are_welcome() -> None:
    for method in (ex.EMME(), ex.EMME(memory="finite"), ex.BornMarkovSecular()):
        assert ex.solve(spin(), [], method).ledger.joint.shape == (0, 2, 2)


class Envelope(eqx.Module):
    decay: jax.Array

    def __call__(self, energy: Array, difference: Array) -> jax.Array:
        return 20.0 * jnp.exp(-self.decay * difference**2) * (1.0 + 0.3 * energy)


# strength, energy, center, width, variance, decay of f
PARAMETERS = np.array([3e-3, 1.07, 0.93, 0.5, 1.3, 0.6])


def built(x: jax.Array, start: ex.Product) -> ex.OpenSystem:
    """A spin off resonance whose numbers are x, with bands and eigenstate thermalisation."""
    strength, energy, center, width, variance, decay = x
    bath = ex.WindowBath(jnp.stack([jnp.zeros(()), center]), (400, 600), width)
    links = (
        ex.Coupling(SX, bath, strength, ex.RandomBands(variance)),
        ex.Coupling(SX, bath, strength, ex.EigenstateThermalization(Envelope(decay))),
    )
    return ex.OpenSystem(jnp.stack([jnp.zeros(()), energy]), links, start)


METHODS = {
    "states": ex.EMME(**TIGHT),
    "finite": ex.EMME(memory="finite", **TIGHT),
    "frozen": ex.BornMarkovSecular(**TIGHT),
    "exponential": ex.EMME(coherences=False),
}


@pytest.mark.parametrize("name", METHODS)
def test_gradients(name: str) -> None:
    """By every number of a model, reverse and forward, against differences."""
    method = METHODS[name]
    state: Any = [0.3, 0.7] if name == "exponential" else [[0.3, 0.2], [0.2, 0.7]]
    start = ex.Product(system=state, windows=([0.6, 0.4],))

    def observed(x: jax.Array, method: Any = method) -> jax.Array:
        led = ex.solve(built(x, start), jnp.array([4.0]), method).ledger
        return led.joint[0, 1, 0] + led.energy[0, 0] + led.system_state[0, 0, 1].real

    reverse = jax.jit(jax.grad(observed))(PARAMETERS)
    ahead = method
    if name != "exponential":
        ahead = eqx.tree_at(lambda m: m.adjoint, method, diffrax.ForwardMode())
    push = jax.jit(lambda v: jax.jvp(lambda y: observed(y, ahead), (PARAMETERS,), (v,))[1])
    value = jax.jit(observed)
    for i, x in enumerate(PARAMETERS):
        direction = x * np.eye(6)[i]
        expected = difference(value, (PARAMETERS,), (direction,), 1e-3)
        assert reverse[i] * x == pytest.approx(expected, abs=1e-7)
        assert push(direction) == pytest.approx(expected, abs=1e-7)


def test_a_solver_that_gives_up_is_told() -> None:
    sol = ex.solve(spin(), [60.0], ex.EMME(memory="finite", max_steps=2), throw=False)
    assert np.all(sol.result == ex.RESULTS.not_finite)
    with pytest.raises(RuntimeError, match="NaN or infinite"):
        jax.block_until_ready(ex.solve(spin(), [60.0], ex.EMME(memory="finite", max_steps=2)))


def test_backsolve_is_refused() -> None:
    with pytest.raises(ValueError, match="`adjoint`"):
        ex.EMME(adjoint=diffrax.BacksolveAdjoint())
