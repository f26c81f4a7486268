"""Short pulses after a long rest, in every driven method: right, or told; none unseen."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import SX
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import entropax as ex

LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])
AREA = {"gauss": np.sqrt(np.pi), "box": 1.0, "sin2": 0.5}
PULSES = [("gauss", 0.3, 300.0), ("box", 1e-2, 37.3), ("sin2", 1e-4, 5.0)]
AFTER = 10.0


class Pulse(eqx.Module):
    """Of the area pi/4, from `place` on; a Gaussian about it."""

    place: Any
    width: Any
    shape: str = eqx.field(static=True)

    def __call__(self, time: Any) -> Any:
        x = (time - self.place) / self.width
        height = 0.25 * jnp.pi / (self.width * AREA[self.shape])
        if self.shape == "gauss":
            return height * jnp.exp(-(x**2))
        form = 1.0 if self.shape == "box" else jnp.sin(jnp.pi * x) ** 2
        return height * jnp.where((x > 0) & (x < 1), form, 0.0)


def pulse(shape: str, width: float, place: float) -> ex.Smooth:
    return ex.Smooth(Pulse(jnp.asarray(place), jnp.asarray(width), shape), width=width)


def carried(rest: Any, driven: Any, y: Any, shape: str, width: float, place: float) -> Any:
    """y' = (A + f(t) B) y by SciPy: inside the pulse in small steps, else by exponentials."""
    first = place - 7 * width * (shape == "gauss")
    last = place + width * (7 if shape == "gauss" else 1)
    form = Pulse(place, width, shape)
    times = np.linspace(first, last, 4001)
    heights = np.array(jax.vmap(form)(jnp.asarray(times)))
    if shape == "box":
        heights[:] = 0.25 * np.pi / width

    def slope(t: float, y: Any) -> Any:
        return (rest + np.interp(t, times, heights) * driven) @ y

    inside = solve_ivp(
        slope, (first, last), expm(rest * first) @ (y + 0j), "DOP853", rtol=1e-11, atol=1e-13,
        max_step=(last - first) / 200,
    )  # fmt: skip
    return expm(rest * (place + AFTER - last)) @ inside.y[:, -1]


def check(found: float, expected: float, sol: ex.Solution) -> None:
    assert bool(sol.failed.any()) or found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", PULSES)
@pytest.mark.parametrize("method", [ex.Lindblad(housekeeping=False), ex.Local(housekeeping=False)])
def test_a_qubit(method: Any, kind: tuple[str, float, float]) -> None:
    bath = ex.ThermalBath(2.0, ex.FlatSpectrum(0.02))
    down, up = 0.02 / -np.expm1(-2.0), 0.02 / np.expm1(2.0)
    links: Any = (ex.Coupling(SX, bath),)
    if isinstance(method, ex.Lindblad):
        links = (ex.Jump(LOWER, bath, down), ex.Jump(LOWER.T, bath, up))
    drives = (ex.Drive(SX, pulse(*kind)),)
    model = ex.OpenSystem((0.0, 1.0), links, ex.Gibbs(2.0), drives=drives)
    sol = ex.solve(model, [kind[2] + AFTER], method, throw=False)
    one = np.eye(2)

    def commutator(h: Any) -> Any:
        return -1j * (np.kron(h, one) - np.kron(one, h.T))

    rest = commutator(np.diag([0.0, 1.0]))
    for rate, jump in ((down, LOWER), (up, LOWER.T)):
        lost = jump.T @ jump
        rest = rest + rate * np.kron(jump, jump)
        rest = rest - 0.5 * rate * (np.kron(lost, one) + np.kron(one, lost.T))
    filled = np.exp(-2.0) / (1.0 + np.exp(-2.0))
    y = carried(rest, commutator(SX), np.diag([1.0 - filled, filled]).ravel(), *kind)
    check(float(sol.ledger.state[0, 1, 1].real), y[3].real, sol)
    assert abs(y[3].real - filled) > 0.1


@pytest.mark.parametrize("kind", PULSES)
def test_a_junction_and_a_network(kind: tuple[str, float, float]) -> None:
    h, tunnel = np.diag([0.0, -1.0, -0.3, 0.4]), np.array([0.2, 0.25, 0.15])
    h[0, 1:] = h[1:, 0] = tunnel
    level, n = np.diag([1.0, 0.0, 0.0, 0.0]), 1.0 / (np.exp(2.0 * (np.diag(h)[1:] - 0.1)) + 1.0)
    start = np.diag([0.8, *n])
    junction = ex.Junction(pulse(*kind), 0.8, (ex.Lead(np.diag(h)[1:], tunnel, 2.0, 0.1),))
    drives = (ex.Drive(level, pulse(*kind)),)
    network = ex.FermionNetwork(h, (0,), ((1, 2, 3),), [2.0], [0.1], [[0.8]], drives=drives)
    columns = [carried(-1j * h, -1j * level, k, *kind) for k in np.eye(4)]
    u = np.stack(columns, axis=1)
    expected = (u.conj() @ start @ u.T)[0, 0].real
    for model, method in ((junction, ex.SplitStep(steps=6000)), (network, ex.Magnus(steps=100))):
        sol = ex.solve(model, [kind[2] + AFTER], method, throw=False)
        check(float(sol.ledger.system_occupation[0]), expected, sol)
        assert float(abs(sol.ledger.system_occupation[0] - expected)) < 1e-5  # seen, not missed


class Raised(eqx.Module):
    """A gap that a pulse raises by half."""

    pulse: Pulse

    def __call__(self, time: Any) -> Any:
        return 1.0 + self.pulse(time) * self.pulse.width


@pytest.mark.filterwarnings("ignore:Energies move by")
def test_windows_see_what_named_breaks_see() -> None:
    """The same pulse of a gap, told where to look."""
    bath = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(3, 5, 4), width=1.0)
    link = ex.Coupling(SX, bath, strength=0.05, matrix=ex.RandomBands(variance=1.0))
    shape, width, place = "gauss", 1e-2, 20.0
    bare = Raised(Pulse(jnp.asarray(place), jnp.asarray(width), shape))
    near = place + width * np.linspace(-6.0, 6.0, 240)
    gaps = [ex.Smooth(bare, width=width), ex.Smooth(bare, breaks=near)]
    key = jax.random.key(0)
    methods = (ex.Schrodinger(key, steps=2), ex.EMME(coherences=False))
    for method in methods:
        found = []
        for gap in gaps:
            start = ex.Product(system=1, windows=(1,))
            model = ex.OpenSystem((0.0, ex.Held(gap, 1.0, 1.0, 40.0)), (link,), start)
            sol = ex.solve(model, [30.0], method, throw=False)
            found.append(np.asarray(sol.ledger.joint[0]))
        np.testing.assert_allclose(*found, rtol=0, atol=1e-6)


class Kicked(eqx.Module):
    """A pulse of some height, as a function that a program traces."""

    height: Any

    def __call__(self, time: Any) -> Any:
        return self.height * Pulse(300.0, 0.3, "gauss")(time)


def kicked(height: Any) -> ex.OpenSystem:
    bath = ex.ThermalBath(2.0, ex.FlatSpectrum(0.02))
    drives = (ex.Drive(SX, Kicked(height)),)
    return ex.OpenSystem((0.0, 1.0), (ex.Coupling(SX, bath),), ex.Gibbs(2.0), drives=drives)


def work(height: Any) -> jax.Array:
    method = ex.Local(housekeeping=False)
    return ex.solve(kicked(height), [310.0], method, throw=False).ledger.work[0]


def test_programs_look_at_what_they_trace() -> None:
    """jit, batches, ensembles, and derivatives beside differences of what is known."""
    heights = jnp.array([0.5, 1.0, 1.5])
    known = np.array([float(work(height)) for height in heights])
    assert np.min(known) > 0.1
    np.testing.assert_allclose(jax.jit(work)(heights[0]), known[0], rtol=0, atol=1e-7)
    np.testing.assert_allclose(jax.vmap(work)(heights), known, rtol=0, atol=1e-7)
    scanned = ex.scan(eqx.filter_vmap(kicked)(heights), [310.0], ex.Local(housekeeping=False))
    np.testing.assert_allclose(scanned.ledger.work[:, 0], known, rtol=0, atol=1e-7)
    step = 1e-4
    slope = (float(work(1.0 + step)) - float(work(1.0 - step))) / (2 * step)
    assert float(jax.grad(work)(1.0)) == pytest.approx(slope, abs=1e-5)


def test_stepped_programs_look_too() -> None:
    lead = ex.Lead([-1.0, -0.3, 0.4], [0.2, 0.25, 0.15], 2.0, 0.1)

    def solution(height: Any) -> ex.Solution:
        model = ex.Junction(Kicked(height), 0.8, (lead,))
        return ex.solve(model, [310.0], ex.SplitStep(steps=1000), throw=False)

    known, traced = solution(1.0), jax.jit(solution)(1.0)
    assert abs(float(known.ledger.work[0])) > 1e-3
    np.testing.assert_allclose(traced.ledger.work, known.ledger.work, rtol=0, atol=1e-4)
