"""Driven window models: protocols, exact quenches, smooth driving, EMME, work and first law."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import riera
import scipy.integrate
import scipy.linalg
import secondlaw
from helpers import check_derivative, difference, one_sided_difference, random_hermitian
from test_emme import TIGHT, written

import entropax as ex

pytestmark = pytest.mark.usefixtures("quick_compilation")
Array = np.ndarray
KEY = jax.random.key(3)
SX = np.array([[0.0, 1.0], [1.0, 0.0]])
TIMES = np.array([4.0, 0.0, 1.0, 3.0, 7.0, 3.5])
JUMPS, VALUES = (3.0, 4.0, 50.0), (1.0, 2.0, 0.4, 9.0)
QUENCH = ex.PiecewiseConstant(times=JUMPS, values=VALUES)
COHERENT = ex.Product(system=[[0.5, 0.3j], [-0.3j, 0.5]], beta=(1.3,))


class Wave(eqx.Module):
    height: Any
    rate: float = 0.7

    def __call__(self, time: jax.Array) -> jax.Array:
        return 1.0 + self.height * jnp.sin(self.rate * time)


def driven(energy: Any, start: Any = None, levels: str = "even") -> ex.OpenSystem:
    bath = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(2, 3, 4), width=0.5, levels=levels)
    couplings = (
        ex.Coupling(SX, bath, 0.1, ex.RandomBands()),
        ex.Coupling(np.diag([1.0, -0.4]), bath, 0.05, ex.GOE(0.3)),
    )
    return ex.OpenSystem((0.0, energy), couplings, start or ex.Product(system=1, windows=(0,)))


def dense(model: ex.OpenSystem) -> tuple[Array, Array, Array]:
    """The bath's levels, H without the driven energy, and the start."""
    bath = model.baths[0]
    levels = np.asarray(bath.draw_levels())
    terms = [
        (
            float(c.strength),
            np.asarray(c.operator),
            np.asarray(c.matrix.draw(jax.random.fold_in(KEY, 1 + i), bath, jnp.asarray(levels))),
            0,
        )
        for i, c in enumerate(model.couplings)
    ]
    h = riera.hamiltonian(np.zeros((2, 2)), terms, [levels])
    start, n = np.asarray(model.start.on_levels(model, [jnp.asarray(levels)])), bath.size
    if model.start.is_diagonal:
        return levels, h, np.diag(start.ravel()).astype(complex)
    rho = np.zeros((2, n, 2, n), complex)
    for i in range(n):
        rho[:, i, :, i] = start[:, :, i]
    return levels, h, rho.reshape(2 * n, 2 * n)


def coarse(rhos: list[Array], levels: Array) -> tuple[Array, Array]:
    p = np.array([np.diagonal(rho).real.reshape(2, len(levels)) for rho in rhos])
    parts = np.split(p, [2, 5], axis=2)
    return np.stack([part.sum(2) for part in parts], axis=-1), p.sum(1) @ levels


EXCITED = np.kron(np.diag([0.0, 1.0]), np.eye(9))


@pytest.mark.parametrize("start", [None, COHERENT], ids=["a window", "coherent"])
@pytest.mark.parametrize("traced", [False, True])
def test_quenches_are_exact(start: Any, traced: bool) -> None:
    model = driven(QUENCH, start)
    levels, h, rho = dense(model)

    def solved(model: ex.OpenSystem, ts: Any) -> ex.WindowLedger:
        return ex.solve(model, ts, ex.Schrodinger(KEY)).ledger

    led = (jax.jit(solved) if traced else solved)(model, TIMES)
    hs = [h + e * EXCITED for e in VALUES]
    found = [secondlaw.quench(hs, JUMPS, rho, t) for t in TIMES]
    joint, energy = coarse([now for now, _ in found], levels)
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=1e-12)
    np.testing.assert_allclose(led.energy[:, 0], energy, rtol=0, atol=1e-12)
    system = [secondlaw.reduced(now, 2, [9], 0) for now, _ in found]
    np.testing.assert_allclose(led.system_state, system, rtol=0, atol=1e-12)
    work = [
        sum(np.diff(VALUES)[i] * np.trace(EXCITED @ r).real for i, r in enumerate(jumps))
        for _, jumps in found
    ]
    np.testing.assert_allclose(led.work, work, rtol=0, atol=1e-12)
    value = np.array(VALUES)[np.searchsorted(JUMPS, TIMES, side="right")]
    np.testing.assert_allclose(led.system_energy, value * joint[:, 1].sum(1), rtol=0, atol=1e-12)
    total = np.array([np.trace((h + v * EXCITED) @ r).real for v, (r, _) in zip(value, found)])  # noqa: B905
    np.testing.assert_allclose(led.total_energy, total, rtol=0, atol=1e-12)
    np.testing.assert_allclose(led.total_energy - total[1], led.work, rtol=0, atol=1e-12)
    assert np.ptp(work) > 0.1


def test_two_driven_levels_jump_at_their_own_times() -> None:
    lower = ex.PiecewiseConstant(times=(2.0,), values=(0.0, 0.3))
    model = driven(QUENCH)
    both = eqx.tree_at(lambda m: m.energies, model, (lower, QUENCH))
    levels, h, rho = dense(model)
    pairs = [(0.0, 1.0), (0.3, 1.0), (0.3, 2.0), (0.3, 0.4)]
    hs = [h + np.kron(np.diag(pair), np.eye(9)) for pair in pairs]
    jumps = [2.0, 3.0, 4.0]
    times = [7.0, 4.0, 2.5, 2.5]
    led = ex.solve(both, times, ex.Schrodinger(KEY)).ledger
    found = [secondlaw.quench(hs, jumps, rho, t) for t in times]
    joint, _ = coarse([now for now, _ in found], levels)
    np.testing.assert_allclose(led.joint, joint, rtol=0, atol=1e-12)
    work = []
    for _, states in found:
        steps = zip(states, hs, hs[1:], strict=False)
        work.append(sum(np.trace((after - before) @ r).real for r, before, after in steps))
    np.testing.assert_allclose(led.work, work, rtol=0, atol=1e-12)


def test_rate_of_exact_dynamics_is_the_slope() -> None:
    model, eps = driven(QUENCH), 1e-4
    grid = np.array([2.0 - eps, 2.0, 2.0 + eps, 5.0 - eps, 5.0, 5.0 + eps])
    led = ex.solve(model, grid, ex.Schrodinger(KEY)).ledger
    s = np.asarray(led.observational_entropy)
    slopes = [(s[2] - s[0]) / (2 * eps), (s[5] - s[3]) / (2 * eps)]
    np.testing.assert_allclose(np.asarray(led.entropy_production_rate)[[1, 4]], slopes, atol=1e-7)


def smooth_twin(model: ex.OpenSystem, times: Array) -> tuple[Array, Array]:
    levels, h, rho = dense(model)
    rhos, work = secondlaw.driven(
        lambda t: h + (1 + 0.4 * np.sin(0.7 * t)) * EXCITED,
        lambda t: 0.28 * np.cos(0.7 * t) * EXCITED,
        rho,
        times,
    )
    return coarse(rhos, levels)[0], np.array(work)


@pytest.mark.parametrize(("order", "steps"), [(2, 16), (4, 16)])
def test_order_of_smooth_driving(order: int, steps: int) -> None:
    model, ts = driven(Wave(jnp.array(0.4)), COHERENT), np.array([2.0, 7.0])
    joint, work = smooth_twin(model, ts)
    errors = []
    for n in (steps, 2 * steps):
        method = ex.Schrodinger(KEY, order=order, steps=n)  # pyright: ignore[reportArgumentType]
        led = ex.solve(model, ts, method, throw=False).ledger
        errors.append((np.abs(led.joint - joint).max(), np.abs(led.work - work).max()))
    orders = np.log2(np.array(errors[0]) / np.array(errors[1]))
    assert abs(orders[0] - order) < 0.2
    assert orders[1] > order - 0.2  # the work's own quadrature is of fourth order


def test_too_few_steps_are_told() -> None:
    model = driven(Wave(jnp.array(0.4)))
    coarse_steps = ex.Schrodinger(KEY, steps=2)
    with pytest.raises(eqx.EquinoxRuntimeError, match="first law is off by more than 1e-6"):
        ex.solve(model, [7.0], coarse_steps)
    sol = ex.solve(model, [0.0, 7.0], coarse_steps, throw=False)
    np.testing.assert_array_equal(sol.result == ex.RESULTS.unresolved, [False, True])
    np.testing.assert_array_equal(sol.failed, [False, True])


def test_smooth_driving_meets_jumps_between_times() -> None:
    """A protocol of each kind: the jump is honoured though no time asked for is near it."""

    def built(first: Any) -> ex.OpenSystem:
        bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(2, 3), width=0.5)
        link = ex.Coupling(SX, bath, 0.2, ex.RandomBands())
        return ex.OpenSystem((first, 1.0), (link,), ex.Product(system=1, windows=(0,)))

    class Slow(eqx.Module):
        def __call__(self, time: jax.Array) -> jax.Array:
            return 1.0 + 0.0 * time

    jump = ex.PiecewiseConstant(times=(1.7,), values=(0.0, 0.4))
    ts = [0.0, 3.0]
    exact = ex.solve(built(jump), ts, ex.Schrodinger(KEY)).ledger
    both = eqx.tree_at(lambda m: m.energies, built(jump), (jump, Smooth(Slow())))
    led = ex.solve(both, ts, ex.Schrodinger(KEY)).ledger
    np.testing.assert_allclose(led.joint, exact.joint, atol=1e-10)
    np.testing.assert_allclose(led.work, exact.work, atol=1e-10)
    assert abs(float(exact.work[1])) > 0.01


def Smooth(function: Any) -> Any:
    from entropax.protocol import Smooth as kind

    return kind(function)


@pytest.mark.parametrize("method", ["quenched", "smooth"])
def test_gradients_of_exact_driving(method: str) -> None:
    def observed(x: jax.Array) -> jax.Array:
        if method == "quenched":
            energy = ex.PiecewiseConstant(times=jnp.stack([x, x + 1.0]), values=(1.0, 1.0 + x, 0.7))
        else:
            energy = Wave(0.4 * x)
        bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(2, 3), width=0.5)
        link = ex.Coupling(SX, bath, 0.2 * x, ex.RandomBands())
        start = ex.Product(system=[[0.5, 0.4], [0.4, 0.5]], windows=(0,))
        model = ex.OpenSystem((0.0, energy), (link,), start)
        sol = ex.solve(model, jnp.array([3.0]), ex.Schrodinger(KEY, steps=4), throw=False)
        led = sol.ledger
        assert led.entropy_production is not None
        return led.entropy_production[0] + led.work[0] + led.system_state[0, 0, 1].real

    check_derivative(observed, (np.array(0.9),), (np.array(1.0),), tolerance=1e-7)


@pytest.mark.parametrize("method", [ex.Schrodinger(KEY), ex.EMME(coherences=False)])
def test_derivatives_by_the_times_of_two_jumps_at_once(method: Any) -> None:
    """Exactly both orders of them have one slope; by rates it is that of the second one first."""

    def f(times: jax.Array) -> jax.Array:
        energies = [
            ex.PiecewiseConstant(t[None], v)
            for t, v in zip(times, ((0.0, 0.2), (1.0, 1.7)), strict=True)
        ]
        bath = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(2, 3, 4), width=0.5)
        link = ex.Coupling(SX, bath, 0.2, ex.RandomBands())
        model = ex.OpenSystem(energies, (link,), ex.Product(system=[0.7, 0.3], windows=(0,)))
        led = ex.solve(model, jnp.array([3.0]), method).ledger
        return led.work[0] + led.heat[0, 0]

    f = jax.jit(f)
    found = jax.grad(f)(jnp.ones(2))
    for i, direction in enumerate(np.array([[1.0, 0.0], [0.0, -1.0]])):
        expected = one_sided_difference(f, (np.ones(2),), (direction,), 1e-3)
        np.testing.assert_allclose(found @ direction, expected, rtol=0, atol=1e-7)
        if isinstance(method, ex.Schrodinger):
            both = difference(f, (np.ones(2),), (direction,))
            np.testing.assert_allclose(found[i] * direction[i], both, rtol=0, atol=1e-7)
        assert abs(float(expected)) > 1e-3


@pytest.mark.parametrize(
    "options",
    [{}, {"coherences": True}, {"solver": diffrax.Dopri8()}],
    ids=["exponential", "states", "solver"],
)
def test_emme_honours_jumps(options: dict) -> None:
    coherent = "coherences" in options
    start = COHERENT if coherent else None
    model = driven(QUENCH, start)
    led = ex.solve(model, TIMES, ex.EMME(**TIGHT, **options)).ledger
    rho = np.asarray(model.start.on_windows(model))
    if not coherent:
        rho = np.einsum("ij,j...->ij...", np.eye(2), rho)
    shape, edges = rho.shape, [0.0, *JUMPS]
    generators = []
    for value in VALUES[:-1]:
        now = eqx.tree_at(lambda m: m.energies, model, jnp.array([0.0, value]))
        generators.append(written(now))
    for i, t in enumerate(TIMES):
        state, work = rho.ravel().astype(complex), 0.0
        for j, g in enumerate(generators):
            state = scipy.linalg.expm(g * (np.clip(t, edges[j], edges[j + 1]) - edges[j])) @ state
            if t >= edges[j + 1]:
                work += (VALUES[j + 1] - VALUES[j]) * state.reshape(shape)[1, 1].sum().real
        states = state.reshape(shape)
        joint = np.stack([states[0, 0].real, states[1, 1].real])
        np.testing.assert_allclose(led.joint[i], joint, rtol=0, atol=1e-9)
        np.testing.assert_allclose(led.work[i], work, rtol=0, atol=1e-9)
        if coherent:
            np.testing.assert_allclose(led.system_state[i], states.sum(-1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", ["equidistant", "degenerate"])
def test_coherences_of_stretches_with_other_resonances(case: str) -> None:
    """What is resonant in one stretch has turned by other phases in those before."""
    rng = np.random.default_rng(5)
    bath = ex.WindowBath((0.0, 0.5, 1.0, 1.5, 2.0), (3, 4, 5, 6, 7), width=0.5)
    d, before, after = 3, (0.0, 1.0, 2.5), (0.0, 1.0, 2.0)
    if case == "degenerate":
        d, before, after = 2, (0.0, 1.0), (0.0, 0.0)
    operator = random_hermitian(rng, d)
    rho = random_hermitian(rng, d)
    rho = rho @ rho / np.trace(rho @ rho).real
    link = ex.Coupling(operator, bath, 0.1, ex.GOE(0.4))
    values = [e if e == f else ex.PiecewiseConstant((2.0,), (e, f)) for e, f in zip(before, after)]  # noqa: B905
    model = ex.OpenSystem(values, (link,), ex.Product(rho, windows=(2,)))
    led = ex.solve(model, [5.0], ex.EMME(**TIGHT)).ledger
    state = np.asarray(model.start.on_windows(model))
    shape = state.shape
    for energies, time in ((before, 2.0), (after, 3.0)):
        now = eqx.tree_at(lambda m: m.energies, model, jnp.array(energies))
        state = scipy.linalg.expm(written(now) * time) @ state.ravel()
    state = state.reshape(shape)
    np.testing.assert_allclose(led.system_state[0], state.sum(-1), rtol=0, atol=1e-8)
    joint = np.diagonal(state).real.T
    np.testing.assert_allclose(led.joint[0], joint, rtol=0, atol=1e-8)


def test_populations_alone_need_levels_apart_at_all_times() -> None:
    meeting = ex.PiecewiseConstant((2.0,), (1.0, 0.0))
    with pytest.raises(eqx.EquinoxRuntimeError, match="levels of the system have one energy"):
        ex.solve(driven(meeting), [3.0], ex.EMME(coherences=False))


@pytest.mark.parametrize("solver", [None, diffrax.Dopri8()], ids=["exponential", "solver"])
def test_gradients_of_the_driven_master_equation(solver: Any) -> None:
    """In a value, the time of a jump, the coupling and a slope; a break beyond the end too."""

    def observed(x: jax.Array) -> jax.Array:
        energy: Any = ex.PiecewiseConstant(jnp.stack([x, 9.0 * x]), jnp.stack([1.0, 1.2 * x, x]))
        if solver is not None:
            times = jnp.stack([0.0 * x, x, 5.0 * x])
            # rates bend where it passes a resonance, at 1: solvers then take derivatives to 1e-6
            energy = ex.PiecewiseLinear(times, jnp.stack([x, 1.08 * x, 0.8 * x]))
        bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(20, 30), width=0.5)
        link = ex.Coupling(SX, bath, 0.05 * x, ex.RandomBands())
        model = ex.OpenSystem((0.0, energy), (link,), ex.Product(system=1, windows=([0.7, 0.3],)))
        method = ex.EMME(coherences=False, solver=solver, **TIGHT)
        if solver is not None:
            method = ex.EMME(coherences=False, adjoint=diffrax.DirectAdjoint(), **TIGHT)
        led = ex.solve(model, jnp.array([3.0]), method).ledger
        assert led.entropy_production is not None
        return led.entropy_production[0] + led.work[0] + led.heat[0, 0]

    check_derivative(observed, (np.array(0.9),), (np.array(1.0),), tolerance=1e-6)


def test_emme_under_smooth_driving() -> None:
    model = driven(Wave(jnp.array(0.3), 0.1))
    ts = np.array([5.0, 20.0])

    def generator(t: float) -> Array:
        value = 1 + 0.3 * np.sin(0.1 * t)
        return written(eqx.tree_at(lambda m: m.energies, model, jnp.array([0.0, value])))

    start = np.einsum("ij,j...->ij...", np.eye(2), np.asarray(model.start.on_windows(model)))
    shape = start.shape

    def right(t: float, y: Array) -> Array:
        p = y[:-1].reshape(shape)
        return np.append(generator(t) @ y[:-1], 0.03 * np.cos(0.1 * t) * p[1, 1].sum())

    y0 = np.append(start.ravel(), 0.0).astype(complex)
    found = scipy.integrate.solve_ivp(right, (0, 20), y0, t_eval=ts, rtol=1e-6, atol=1e-8)
    led = ex.solve(model, ts, ex.EMME(rtol=1e-8, atol=1e-10)).ledger
    states = found.y[:-1].T.reshape(2, *shape)
    np.testing.assert_allclose(led.joint[:, 1], states[:, 1, 1].real, rtol=0, atol=2e-6)
    np.testing.assert_allclose(led.work, found.y[-1].real, rtol=0, atol=2e-6)


@pytest.mark.parametrize("system", [1, [[0.5, 0.3j], [-0.3j, 0.5]]], ids=["level", "coherent"])
def test_first_law_of_the_master_equation(system: Any) -> None:
    """dU_S = W + Q (Riera Eq. 49), between windows too where they are alike: neighbours share."""
    bath = ex.WindowBath(np.arange(21) * 0.5, [80] * 21, width=0.5)
    link = ex.Coupling(SX, bath, 0.01, ex.RandomBands())
    energy = ex.PiecewiseLinear(times=(0.0, 30.0, 60.0), values=(0.5, 1.5, 0.8))
    model = ex.OpenSystem((0.0, energy), (link,), ex.Product(system=system, windows=(10,)))
    led = ex.solve(model, np.linspace(0.0, 60.0, 7), ex.EMME()).ledger
    gained = led.system_energy - led.system_energy[0]
    at_edges = np.asarray(led.joint)[:, :, [0, -1]].sum((1, 2))  # beyond, windows are missing
    np.testing.assert_array_less(at_edges, 1e-8)
    np.testing.assert_allclose(gained, led.work + led.heat[:, 0], rtol=0, atol=1e-8)
    assert np.all(np.asarray(led.entropy_production_rate) >= -1e-9)
    assert np.ptp(led.work) > 0.05


@pytest.mark.parametrize("method", [ex.Schrodinger(KEY), ex.EMME()], ids=["exact", "EMME"])
def test_a_jump_at_the_start_does_work(method: Any) -> None:
    """The start is the state before it."""
    led = ex.solve(driven(ex.PiecewiseConstant((0.0,), (1.0, 1.4))), [0.0, 2.0], method).ledger
    np.testing.assert_allclose(led.work, 0.4, rtol=0, atol=1e-12)
    np.testing.assert_allclose(led.system_energy[0], 1.4, rtol=0, atol=1e-12)
    plain = ex.solve(driven(1.4), [0.0, 2.0], method).ledger
    np.testing.assert_allclose(led.joint, plain.joint, rtol=0, atol=1e-12)


def test_nothing_driven_is_the_plain_solution() -> None:
    ts = np.array([0.0, 2.0, 9.0])
    constant = ex.PiecewiseConstant(times=(1.0, 5.0), values=(1.0, 1.0, 1.0))
    for method in (ex.Schrodinger(KEY), ex.EMME(), ex.BornMarkovSecular()):
        plain = ex.solve(driven(1.0), ts, method).ledger
        led = ex.solve(driven(constant), ts, method).ledger
        np.testing.assert_allclose(led.joint, plain.joint, rtol=0, atol=1e-7)
        np.testing.assert_allclose(led.work, 0.0, atol=1e-14)


def test_a_batch_of_protocols_is_a_loop() -> None:
    ts = jnp.array([2.0, 5.0])

    def work(value: jax.Array, method: Any) -> jax.Array:
        energy = ex.PiecewiseConstant(times=(1.0, 4.0), values=jnp.stack([1.0, value, 1.0]))
        return ex.solve(driven(energy), ts, method).ledger.work

    for method in (ex.Schrodinger(KEY), ex.EMME(coherences=False)):
        values = jnp.array([0.8, 2.0])
        together = jax.vmap(lambda v, m=method: work(v, m))(values)
        alone = jnp.stack([work(v, method) for v in values])
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-10)


BAD = {
    "values": (
        lambda: ex.PiecewiseConstant(times=(1.0,), values=(1.0,)),
        r"`values` must have one entry more than `times` \(2\), but has 1",
    ),
    "descending": (
        lambda: ex.PiecewiseConstant(times=(2.0, 1.0), values=(1.0, 2.0, 3.0)),
        "`times` must be strictly ascending, but has 1.0 at index 1",
    ),
    "negative": (
        lambda: ex.PiecewiseConstant(times=(-2.0,), values=(1.0, 2.0)),
        "`times` must be non-negative",
    ),
    "one node": (
        lambda: ex.PiecewiseLinear(times=(0.0,), values=(1.0,)),
        "2 or more, but has 1",
    ),
    "an array": (
        lambda: driven(lambda t: jnp.ones(2) * t),
        r"`energies\[1\]` must return a number at each time, but returns shape \(2,\)",
    ),
    "too short": (
        lambda: ex.solve(
            driven(ex.PiecewiseLinear((0.0, 3.0), (1.0, 2.0))), TIMES, ex.Schrodinger(KEY)
        ),
        r"where `energies\[1\]` is defined, .* \(0 to 3\), but is \[4",
    ),
    "late": (
        lambda: ex.solve(driven(ex.PiecewiseLinear((1.0, 9.0), (1.0, 2.0))), [2.0], ex.EMME()),
        r"where `energies\[1\]` is defined, which it must be from time 0 on \(1 to 9\)",
    ),
    "undefined": (
        lambda: ex.solve(driven(lambda t: 1.0 / t), [1.0], ex.Schrodinger(KEY)),
        r"`energies\[1\]` must be finite at 0 and at all of `ts`, but has inf at index 1",
    ),
    "before": (
        lambda: ex.solve(driven(QUENCH), [-1.0], ex.Schrodinger(KEY)),
        "`ts` must be non-negative where a model is driven, but has -1.0",
    ),
    "order": (lambda: ex.Schrodinger(KEY, order=3), "`order` must be 2 or 4, but is 3"),  # pyright: ignore[reportArgumentType]
    "steps": (lambda: ex.Schrodinger(KEY, steps=0), "`steps` must be a positive integer"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_driving_too_fast_for_a_master_equation_is_told() -> None:
    fast = driven(lambda t: 1.0 + 3.0 * t)
    told = r"Energies move by 75\.4 windows within the baths' memory"
    with pytest.warns(UserWarning, match=told):
        ex.solve(fast, [0.1], ex.EMME())
    ex.solve(driven(lambda t: 1.0 + 0.001 * t), [0.1], ex.EMME())  # no warning: an error here
