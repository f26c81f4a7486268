"""The exponential of a generator, held against 60 digits."""

from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from derivatives import difference

from entropax.linalg import from_real, to_real
from entropax.linalg.semigroup import evolve

Array = np.ndarray


def rates(rng: np.random.Generator, size: int, spread: float) -> Array:
    """From j to i, over so many orders."""
    matrix = 10.0 ** rng.uniform(-spread, 0.0, (size, size))
    np.fill_diagonal(matrix, 0.0)
    return matrix - np.diag(matrix.sum(axis=0))


def to_sixty_digits(generator: Array, start: Array, time: float, trace: Array) -> tuple[Any, Any]:
    """exp(tL) y and its integral; columns add up to zero exactly."""
    size = len(start)
    with mpmath.workdps(60):
        both = mpmath.zeros(2 * size)
        for j in range(size):
            for i in range(size):
                both[i, j] = mpmath.mpf(generator[i, j])
            own = sum(both[i, j] for i in range(size) if trace[i] and i != j)
            if trace[j]:
                both[j, j] = -own
            both[size + j, j] = 1
        halvings = max(0, int(np.ceil(np.log2(max(time, 1.0)))) + 4)
        power = mpmath.expm(both * (mpmath.mpf(time) / 2**halvings), method="taylor")
        for _ in range(halvings):
            power = power * power
        found = power[:, :size] * mpmath.matrix(start.tolist())
    values = np.array([float(x) for x in found])
    return values[:size], values[size:]


@pytest.mark.parametrize("spread", [1.0, 12.0])
def test_populations_to_relative_accuracy_at_any_spread(
    rng: np.random.Generator, spread: float
) -> None:
    matrix, start = rates(rng, 4, spread), np.eye(4)[0]
    ts = np.array([1e-3, 1.0, 1e4, 1e12])
    found, passed = evolve(jnp.asarray(matrix), jnp.asarray(start), ts, trace=jnp.ones(4))
    for time, one, integral in zip(ts, found, passed, strict=True):
        expected, area = to_sixty_digits(matrix, start, time, np.ones(4))
        np.testing.assert_allclose(one, expected, rtol=3e-13)
        np.testing.assert_allclose(integral, area, rtol=3e-13, atol=1e-15 * time)


ENERGIES = np.array([0.0, 1.3, 2.1])


def phases(z: Any, time: Any) -> Any:
    angle = (ENERGIES[:, None] - ENERGIES[None, :]) * time
    z = z.reshape(3, 3)
    return (jnp.cos(angle) * z - jnp.sin(angle) * z.T).ravel()


def form(action: Any) -> Array:
    """A map on matrices as one on real forms."""
    units = np.eye(9).reshape(9, 3, 3)
    columns = [to_real(jnp.asarray(action(np.asarray(from_real(jnp.asarray(u)))))) for u in units]
    return np.array(columns).reshape(9, 9).T


def damped(rng: np.random.Generator, damping: float) -> tuple[Array, Array, Array]:
    """Dissipator, commutator and start of three levels with jumps of no frequency."""
    jump = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    decay = jump.conj().T @ jump

    def dissipator(rho: Array) -> Array:
        return damping * (jump @ rho @ jump.conj().T - 0.5 * (decay @ rho + rho @ decay))

    h = np.diag(ENERGIES)
    start = np.asarray(to_real(jnp.full((3, 3), 1 / 3) + 0j)).ravel()
    return form(dissipator), form(lambda rho: -1j * (h @ rho - rho @ h)), start


@pytest.mark.parametrize("damping", [0.3, 1e-9])
def test_phases_do_not_drown_weak_damping(rng: np.random.Generator, damping: float) -> None:
    """At late times of 1e9 periods the state is off by what rounding of phases explains alone."""
    rest, commutator, start = damped(rng, damping)
    trace = np.eye(3).ravel()
    ts = np.array([0.0, 0.7, 30.0, 3.0 / damping])
    found, _ = evolve(
        jnp.asarray(rest), jnp.asarray(start), ts, trace=jnp.asarray(trace), phases=phases
    )
    np.testing.assert_allclose(found @ trace, 1.0, rtol=0, atol=4e-15)
    for time, one in zip(ts, found, strict=True):
        expected, _ = to_sixty_digits(rest + commutator, start, time, trace)
        atol = 1e-14 + 4.0 * np.finfo(float).eps * time
        np.testing.assert_allclose(one, expected, rtol=0, atol=atol)
        if time > 1e3:  # populations hold no phases
            np.testing.assert_allclose(one[::4], expected[::4], rtol=0, atol=1e-8)


def test_the_trace_stays_at_late_times(rng: np.random.Generator) -> None:
    """What rounding adds to it in one squaring must not double in the next."""
    rest, _, start = damped(rng, 0.3)
    trace = jnp.eye(3).ravel()
    found, _ = evolve(
        jnp.asarray(rest), jnp.asarray(start), jnp.array([1e6]), trace=trace, phases=phases
    )
    np.testing.assert_allclose(found @ trace, 1.0, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", ["populations", "phases"])
def test_derivatives(rng: np.random.Generator, kind: str) -> None:
    """By rates, by times (at the start from one side), forward and reverse."""
    if kind == "populations":
        matrix, start, own = rates(rng, 4, 1.0), np.eye(4)[0], {"trace": jnp.ones(4)}
        whole = matrix
    else:
        matrix, commutator, start = damped(rng, 0.2)
        own = {"trace": jnp.eye(3).ravel(), "phases": phases}
        whole = matrix + commutator
    ts, weights = np.array([0.0, 0.5, 3.0]), rng.normal(size=(2, 3, len(start)))

    def loss(scale: Any, ts: Any) -> Any:
        both = evolve(scale * jnp.asarray(matrix), jnp.asarray(start), ts, **own)
        return sum(jnp.sum(w * x) for w, x in zip(weights, both, strict=True))

    slope = float(jax.grad(loss)(1.0, ts))
    assert slope == pytest.approx(
        float(difference(lambda s: loss(s, ts), (1.0,), (1.0,))), rel=1e-7
    )
    assert slope == pytest.approx(float(jax.jacfwd(loss)(1.0, ts)), rel=1e-12)
    found, _ = evolve(jnp.asarray(matrix), jnp.asarray(start), ts, **own)
    exact = np.sum(weights[0] * (np.asarray(found) @ whole.T) + weights[1] * found, axis=1)
    np.testing.assert_allclose(jax.grad(loss, 1)(1.0, ts), exact, rtol=1e-11, atol=1e-13)


def test_times_in_any_order_a_batch_and_none() -> None:
    matrix = jnp.array([[-1.0, 0.5], [1.0, -0.5]])
    start, ones = jnp.array([1.0, 0.0]), jnp.ones(2)
    ts = np.array([2.0, 0.0, 1.0])
    found, _ = evolve(matrix, start, ts, trace=ones)
    exact = 1 / 3 + 2 / 3 * np.exp(-1.5 * ts)
    np.testing.assert_allclose(found[:, 0], exact, rtol=1e-14)
    each = jax.vmap(lambda s: evolve(s * matrix, start, ts, trace=ones)[0])(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(each[1, :, 0], 1 / 3 + 2 / 3 * np.exp(-3.0 * ts), rtol=1e-14)
    assert evolve(matrix, start, jnp.zeros(0), trace=ones)[0].shape == (0, 2)
    assert bool(jnp.all(evolve(matrix, start, jnp.zeros(3), trace=ones)[0][:, 0] == 1.0))


@pytest.mark.parametrize("time", [1e2, 1e6, 1e9])
def test_fast_damping_that_slows_what_turns(time: float) -> None:
    r"""Zeno: $D(\rho) = \sigma_x\rho\sigma_x - \rho$ beside slow phases, to 1e-9 or infinite."""
    flip = form_of_two(lambda rho: SX @ rho @ SX - rho)
    energy = np.sqrt(2.0 / time)

    def turned(z: Any, t: Any) -> Any:
        angle = jnp.array([[0.0, -energy], [energy, 0.0]]) * t
        z = z.reshape(2, 2)
        return (jnp.cos(angle) * z - jnp.sin(angle) * z.T).ravel()

    start = jnp.asarray(np.asarray(to_real(jnp.array([[0.5, -0.5j], [0.5j, 0.5]]))).ravel())
    trace = jnp.array([1.0, 0.0, 0.0, 1.0])
    found, _ = evolve(jnp.asarray(flip), start, jnp.array([time]), trace=trace, phases=turned)
    generator = flip + form_of_two(lambda rho: -1j * energy * (NUMBER @ rho - rho @ NUMBER))
    expected, _ = to_sixty_digits(generator, np.asarray(start), time, np.asarray(trace))
    if time > 1e7:
        assert bool(jnp.all(jnp.isinf(found)))
    else:
        np.testing.assert_allclose(found[0], expected, rtol=0, atol=2e-9)


SX, NUMBER = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([0.0, 1.0])


def form_of_two(action: Any) -> Array:
    units = np.eye(4).reshape(4, 2, 2)
    columns = [to_real(jnp.asarray(action(np.asarray(from_real(jnp.asarray(u)))))) for u in units]
    return np.array(columns).reshape(4, 4).T


def test_what_is_too_fast_is_infinite() -> None:
    matrix = 1e16 * jnp.array([[-1.0, 0.5], [1.0, -0.5]])
    found, passed = evolve(matrix, jnp.array([1.0, 0.0]), jnp.array([1.0]), trace=jnp.ones(2))
    assert bool(jnp.all(jnp.isinf(found)) & jnp.all(jnp.isinf(passed)))
