"""Driven junctions and networks: dense twins, orders, unitarity, the first law, derivatives."""

import itertools

import diffrax
import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import textbook
from helpers import check_derivative, random_hermitian

import entropax as ex
from entropax.method.magnus import Exponentials
from entropax.method.march import Steps, march
from entropax.method.splitstep import Rotations, rotation

pytestmark = pytest.mark.usefixtures("quick_compilation")

SILENT = diffrax.NoProgressMeter()
NO_STEP = Steps(jnp.array([2.0]), jnp.zeros(1), (jnp.array([2.0]), jnp.array([2.0])))
TS = (0.7, 3.0, 1.5)
MODES = 5
LEVEL = ex.PiecewiseLinear((0.0, 0.9, 2.0, 3.0), (0.4, 1.3, -0.8, 0.2))
GATE = ex.Held(lambda t: 1.0 - 0.3 * jnp.cos(2.0 * t), 0.0, 0.5, 3.0)


def junction(level=LEVEL, gate=GATE, other=None, modes: int = MODES) -> ex.Junction:
    left = ex.Lead.flat(modes=modes, width=5.0, coupling=1.0, beta=2.0, mu=0.3, gate=gate)
    right = ex.Lead.flat(modes=modes + 1, width=5.0, coupling=0.7, beta=0.8, mu=-0.3, gate=other)
    return ex.Junction(level, 0.3, (left, right))


network = ex.FermionNetwork.from_junction


def dense(model: ex.Junction, time: float, pieces: int) -> dict:
    """C(t) and the work by plain exponentials of the midpoint Hamiltonian, and jumps."""
    leads = [(np.asarray(x.energies), np.asarray(x.couplings)) for x in model.leads]

    def h(t: float, start: float, stop: float) -> np.ndarray:
        stretch = (jnp.asarray(start), jnp.asarray(stop))
        now = model.within(jnp.asarray(t), stretch)
        own = [(e, np.asarray(x.couplings)) for (e, _), x in zip(leads, now.leads, strict=True)]
        return textbook.star(float(now.level), own)

    edges = np.unique(np.concatenate([[0.0, time], np.asarray(model.breaks)]))
    edges = edges[edges <= time]
    c = np.diag(np.asarray(model.initial_occupations)).astype(complex)
    begin = c
    before, work = h(0.0, -1.0, 0.0), 0.0
    for start, stop in itertools.pairwise(edges):
        step = (stop - start) / pieces
        for i in range(pieces):
            now = h(start + (i + 0.5) * step, start, stop)
            # sudden changes between constant pieces: all of the work
            work += np.sum((now - before) * c).real
            u = scipy.linalg.expm(-1j * step * now)
            c, before = u.conj() @ c @ u.T, now
    after = h(time, time, time)
    work += np.sum((after - before) * c).real
    gained = np.sum(after * c).real - np.sum(h(0.0, -1.0, 0.0) * begin).real
    return {"c": c, "work": work, "gained": gained}


def same(ledger, other, atol: float, skip: tuple[str, ...] = ()) -> None:
    for one, another in ((ledger, other), (ledger.terms, other.terms)):
        for name, value in vars(another).items():
            if name not in (*skip, "terms", "determined"):
                np.testing.assert_allclose(
                    getattr(one, name), value, rtol=0, atol=atol, err_msg=name
                )


def test_against_a_dense_program() -> None:
    model = junction()
    sol = ex.solve(
        model, TS, ex.SplitStep(steps=120, order=4), save=lambda s: (s.level_row, s.blocks)
    )
    for i, time in enumerate(TS):
        coarse, fine = (dense(model, time, n) for n in (150, 300))
        # midpoints are of second order: extrapolate
        c = (4.0 * fine["c"] - coarse["c"]) / 3.0
        work = (4.0 * fine["work"] - coarse["work"]) / 3.0
        assert fine["work"] == pytest.approx(fine["gained"], abs=1e-12)
        row, blocks = jax.tree.map(lambda x: np.asarray(x)[i], sol.saved)  # noqa: B023
        np.testing.assert_allclose(row, c[0, 1:], rtol=0, atol=2e-8)
        ends = np.cumsum([1, MODES, MODES + 1])
        for block, start, stop in zip(blocks, ends[:-1], ends[1:], strict=True):
            values = np.linalg.eigvalsh(c[start:stop, start:stop])
            np.testing.assert_allclose(np.linalg.eigvalsh(block), values, rtol=0, atol=2e-8)
        assert float(sol.ledger.work[i]) == pytest.approx(work, abs=2e-8)
        assert abs(work) > 0.05
        occupation = float(sol.ledger.system_occupation[i])
        assert occupation == pytest.approx(c[0, 0].real, abs=2e-8)


def test_network_and_junction_agree_in_every_field() -> None:
    model = junction(other=ex.PiecewiseConstant((1.1,), (1.0, 0.4)))
    star = ex.solve(model, TS, ex.SplitStep(steps=60, order=4)).ledger
    whole = ex.solve(network(model), TS, ex.Magnus(steps=60)).ledger
    # modes of a network are those of its baths' blocks: here the same
    same(star, whole, 2e-7)
    np.testing.assert_allclose(star.residual, 0.0, atol=1e-13)


def test_at_rest_it_is_the_exact_method() -> None:
    rest = junction(0.5, None)
    exact = ex.solve(rest, TS).ledger
    held = junction(ex.Constant(0.5), ex.Constant(1.0))
    same(ex.solve(held, TS, ex.SplitStep(steps=120, order=4)).ledger, exact, 1e-9)
    same(ex.solve(network(held), TS, ex.Magnus(steps=2)).ledger, exact, 1e-11)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("kind", ["star", "dense"])
def test_order_of_convergence(kind: str, order: int) -> None:
    """Of the work, and of energies of level and couplings at the end."""
    model = junction(lambda t: jnp.sin(1.7 * t), ex.Held(jnp.cos, 0.2, 1.0, 2.0))
    if kind == "star":
        own = Rotations(model, order)
    else:
        model = network(model)
        own = Exponentials(model, order)

    def show(x, time, work):
        del time
        return jnp.append(own.advance(x, own.coefficients(NO_STEP))[1][0], work)

    def found(steps: int) -> np.ndarray:
        return np.asarray(march(model, own, jnp.array([2.0]), steps, show, SILENT)[0])

    counts = np.array([16, 24, 36, 54]) if order == 2 else np.array([24, 36, 54, 80])
    exact = found(400)
    errors = np.array([np.abs(found(int(n)) - exact) for n in counts])
    slopes = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    np.testing.assert_allclose(slopes, -order, rtol=0, atol=0.1)


def test_unitary_after_ten_thousand_steps() -> None:
    model, ts = junction(), jnp.array([3.0])
    for order in (2, 4):
        own = Rotations(model, order)
        found = march(model, own, ts, 10_000, lambda x, time, work: x, SILENT)
        found = jax.tree.map(lambda x: np.asarray(x)[0], found)
        both = np.concatenate([found.level[None], found.modes])
        size = model.sites
        u = both[:, :size] + 1j * both[:, size:]
        np.testing.assert_allclose(u.conj().T @ u, np.eye(size), rtol=0, atol=1e-12)


def test_first_law_and_what_breaks_it() -> None:
    model = junction()
    sol = ex.solve(model, TS, ex.SplitStep(steps=400, order=4))
    begin = ex.solve(model.before(), [0.0]).ledger.total_energy
    np.testing.assert_allclose(sol.ledger.total_energy - begin - sol.ledger.work, 0.0, atol=1e-8)
    rough = ex.solve(model, TS, ex.SplitStep(steps=2), throw=False)
    assert np.all(rough.result == ex.RESULTS.unresolved)
    still = ex.solve(model.before(), TS, ex.SplitStep(steps=2), throw=False)
    assert np.all(still.result == ex.RESULTS.unresolved)


def test_first_law_of_splines_and_bounds() -> None:
    """Work takes slopes at both ends of each pair of steps: right there too."""
    spline = ex.Held(ex.CubicSpline((0.0, 0.9, 2.0, 3.0), (0.4, 1.3, -0.8, 0.2)), 0.0, 1.0, 3.0)
    line = ex.Bounded(ex.PiecewiseLinear((0.0, 1.2, 3.0), (0.0, 1.0, -1.0)), 0.2, 1.1)
    model = junction(spline, line)
    sol = ex.solve(model, TS, ex.SplitStep(steps=400, order=4))
    begin = ex.solve(model.before(), [0.0]).ledger.total_energy
    np.testing.assert_allclose(sol.ledger.total_energy - begin - sol.ledger.work, 0.0, atol=1e-8)
    assert np.max(np.abs(sol.ledger.work)) > 0.05


def test_a_jump_between_saved_times_and_at_one() -> None:
    jump = junction(ex.PiecewiseConstant((1.1,), (0.5, -1.0)), None)
    ts = [0.6, 1.1, 2.0]
    led = ex.solve(jump, ts, ex.SplitStep(steps=60, order=4)).ledger
    apart = ex.solve(jump, [0.6, 2.0], ex.SplitStep(steps=60, order=4)).ledger
    np.testing.assert_allclose(led.work[2], apart.work[1], rtol=0, atol=1e-8)
    rest = ex.solve(junction(0.5, None), [1.1]).ledger
    expected = -1.5 * rest.system_occupation[0]
    np.testing.assert_allclose(led.work, [0.0, expected, expected], rtol=0, atol=1e-8)
    np.testing.assert_allclose(led.system_energy[1], -led.system_occupation[1], rtol=1e-12)


PARAMETERS = {
    "points": (
        ex.CubicSpline.ramp(0.4, 1.0, duration=1.5, pieces=3),
        ex.PiecewiseLinear.ramp(0.8, 1.0, duration=1.5, pieces=5),
        ex.PiecewiseConstant.ramp(1.0, 0.7, duration=1.5, pieces=4),
    ),
    "waves": (
        ex.Bounded(ex.Fourier(0.4, (0.2,), (0.3,), period=1.5), -1.0, 1.0),
        ex.Constant(0.8),
        ex.Held(eqx.nn.MLP("scalar", "scalar", 3, 1, jnp.tanh, key=jax.random.key(0)), 1, 1, 1.5),
    ),
}


@pytest.mark.parametrize(("kind", "name"), [("star", "points"), ("dense", "waves")])
def test_derivatives_by_every_parameter(kind: str, name: str) -> None:
    """Of Sigma and W, by all numbers of three protocols, inner times too."""
    method = ex.SplitStep(steps=32, order=4) if kind == "star" else ex.Magnus(steps=6)
    given, rest = eqx.partition(PARAMETERS[name], eqx.is_inexact_array)
    flat, rebuild = jax.flatten_util.ravel_pytree(given)

    def f(numbers):
        model = junction(*eqx.combine(rebuild(numbers), rest), modes=3)
        model = model if kind == "star" else network(model)
        led = ex.solve(model, [1.5, 0.7], method, throw=False).ledger
        return led.entropy_production @ jnp.array([1.0, 0.4]) + 0.7 * led.work[0]

    rng = np.random.default_rng(0)
    moved = jax.tree.map(lambda x: rng.normal(size=x.shape), given)
    if name == "points":  # ends and last times are asked for at a jump
        inner = [rng.normal(size=p.protocol.times.shape) for p in given]
        for times in inner[:2]:
            times[[0, -1]] = 0.0
        moved = eqx.tree_at(
            lambda ps: [p.duration for p in ps] + [p.protocol.times for p in ps],
            moved,
            [np.zeros(())] * 3 + [0.1 * times for times in inner],
        )
    else:
        moved = eqx.tree_at(lambda ps: ps[2].duration, moved, np.zeros(()))
    direction = np.asarray(jax.flatten_util.ravel_pytree(moved)[0])
    check_derivative(f, (np.asarray(flat),), (direction,), tolerance=1e-7)


def test_derivative_by_the_time_of_a_jump_that_is_a_saved_time() -> None:
    def f(time):
        jump = ex.PiecewiseConstant(time[None], (0.5, -1.0))
        model = junction(jump, None, modes=3)
        return ex.solve(
            model, [1.1, 2.0], ex.SplitStep(steps=24, order=4), throw=False
        ).ledger.work[1]

    check_derivative(f, (np.array(1.1),), (np.array(1.0),), tolerance=1e-7)


def test_derivatives_by_the_times_of_two_jumps_at_once() -> None:
    def f(times):
        level = ex.PiecewiseConstant(times[:1], (0.4, -0.2))
        gate = ex.PiecewiseConstant(times[1:], (0.5, 1.5))
        led = ex.solve(junction(level, gate, modes=3), [2.0], ex.SplitStep(steps=100)).ledger
        return led.work[0] + led.entropy_production[0]

    for direction in np.eye(2):  # slopes are those of both orders, curvatures are not
        check_derivative(f, (np.ones(2),), (direction,), step=1e-6, tolerance=1e-6)


def test_a_saved_time_that_rounding_puts_before_a_jump() -> None:
    duration = 0.1 * 3
    assert duration > 0.3
    ramp = ex.PiecewiseLinear.ramp(1.0, -1.0, duration=duration, pieces=2)
    held = eqx.tree_at(lambda r: r.protocol.values, ramp, jnp.array([0.5, 0.0, -0.5]))
    model = junction(held, None, modes=3)
    work = [ex.solve(model, [t], ex.SplitStep(24)).ledger.work[0] for t in (0.3, duration)]
    assert float(work[0]) == pytest.approx(float(work[1]), abs=1e-12)


def test_derivatives_at_a_closed_gate_and_an_empty_or_filled_level() -> None:
    """A coupling that is off in part of a protocol, and occupations 0 and 1."""
    gate = ex.PiecewiseConstant((0.4, 0.8), (1.0, 0.0, 1.0))

    def f(values, n):
        model = junction(0.3, eqx.tree_at(lambda g: g.values, gate, values), modes=3)
        model = eqx.tree_at(lambda j: j.occupation, model, n)
        led = ex.solve(model, [1.2], ex.SplitStep(steps=16, order=4), throw=False).ledger
        return led.work[0] + led.energy[0, 0] + led.entropy_production[0]

    for n in (0.0, 1.0):
        args = (np.asarray(gate.values), np.array(n))
        check_derivative(f, args, (np.array([0.3, 1.0, -0.5]), np.array(0.0)), tolerance=1e-8)


def test_batches_equal_loops_and_compile_once() -> None:
    traced = []

    @jax.jit
    def one(height):
        traced.append(None)
        ramp = ex.PiecewiseLinear((0.0, 1.0), (0.2, height))
        return ex.solve(
            junction(ramp, modes=3), [1.0], ex.SplitStep(steps=8), throw=False
        ).ledger.work[0]

    heights = jnp.array([0.0, 1.0, 2.0])
    alone = jnp.stack([one(h) for h in heights])
    assert len(traced) == 1
    np.testing.assert_allclose(jax.vmap(one)(heights), alone, rtol=0, atol=1e-14)


def test_complex_drives_of_a_network() -> None:
    """A magnetic flux that is switched on, against a dense program."""
    rng = np.random.default_rng(3)
    h = random_hermitian(rng, 5)
    v = np.zeros((5, 5), complex)
    v[0, 1:], v[1:, 0] = [0.3j, 0.2, -0.1j, 0.4], [-0.3j, 0.2, 0.1j, 0.4]
    baths = ((1, 2), (3, 4))
    model = ex.FermionNetwork(
        h, (0,), baths, (1.0, 2.0), (0.0, 0.3), drives=(ex.Drive(v, lambda t: jnp.sin(2 * t)),)
    )
    led = ex.solve(model, [1.3], ex.Magnus(steps=120), save=lambda s: s.correlation)
    c0 = np.asarray(model.before().initial_correlation)
    count, u = 4000, np.eye(5)
    for i in range(count):
        t = 1.3 * (i + 0.5) / count
        u = scipy.linalg.expm(-1j * 1.3 / count * (h + np.sin(2 * t) * v)) @ u
    np.testing.assert_allclose(led.saved[0], u.conj() @ c0 @ u.T, rtol=0, atol=2e-7)
    now = h + np.sin(2.6) * v
    gained = np.sum(now * np.asarray(led.saved[0])).real - np.sum(h * c0).real
    np.testing.assert_allclose(led.ledger.work[0], gained, rtol=0, atol=1e-7)


def test_no_times_are_no_entries() -> None:
    for model, method in ((junction(), ex.SplitStep()), (network(junction()), ex.Magnus())):
        assert ex.solve(model, [], method).ledger.work.shape == (0,)


SMALL = junction(modes=2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ex.solve(SMALL, [1.0]), r"`level` must not be driven .* SplitStep\(steps"),
        (lambda: ex.solve(network(SMALL), [1.0]), r"must not be driven .* Magnus\(steps"),
        (lambda: ex.solve(SMALL, [4.0], ex.SplitStep()), "`ts` must be where `level` is defined"),
        (lambda: ex.solve(SMALL, [-1.0], ex.SplitStep()), "`ts` must be non-negative"),
        (lambda: ex.solve(SMALL.before(), [-1.0], ex.SplitStep()), "non-negative for the method"),
        (lambda: ex.solve(SMALL, [1.0], ex.Magnus()), "must be a FermionNetwork for .* Magnus"),
        (lambda: ex.solve(network(SMALL), [1.0], ex.SplitStep()), "must be a Junction .* Magnus"),
        (lambda: ex.SplitStep(steps=0), "`steps` must be a positive integer"),
        (lambda: ex.Magnus(order=3), "`order` must be 2 or 4"),
        (lambda: junction(lambda t: jnp.ones(2)), "`level` must return a number"),
        (lambda: junction(gate=3.0), "`gate` must be a function of time"),
        (lambda: ex.global_equilibrium(SMALL), "`model` must not be driven"),
        (
            lambda: ex.FermionNetwork(
                np.eye(3), (0,), ((1, 2),), (1.0,), (0.0,), drives=(ex.Drive(np.eye(3), jnp.sin),)
            ),
            r"`drives\[0\].operator` must be zero within each bath",
        ),
        (
            lambda: ex.FermionNetwork(
                np.eye(3), (0,), ((1, 2),), (1.0,), (0.0,), drives=(ex.Drive(np.eye(2), jnp.sin),)
            ),
            r"`drives\[0\].operator` must have the shape of `hamiltonian`",
        ),
    ],
)
def test_bad_input(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("duration", [1e-3, 0.7, -0.7])
def test_a_rotation_is_the_exponential_of_its_generator(duration: float) -> None:
    """At level and coupling zero, on both sides of where the series ends, and for long steps."""
    for level, squares in itertools.product(
        (0.0, -1e-9, 0.3, -1.0, 7.0, 60.0), (0.0, 1e-20, 1e-6, 0.2, 0.5, 400.0)
    ):
        generator = np.array([[level, 1.0, 0.0], [squares, 0.0, 0.0], [1.0, 0.0, 0.0]])
        flow = scipy.linalg.expm(-1j * duration * generator)
        at = jnp.array([level, squares, duration])
        expected = np.array([flow[0, 0], flow[2, 0] / duration, flow[2, 1] / duration**2])
        found = np.array(rotation(*at)) / np.array([1.0, duration, duration**2])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    at = jnp.array([0.0, 0.0, duration])  # where a root of the eigenvalues has no derivative
    weights = jnp.array([[0.3, -1.1, 2.0], [0.7, 0.4, -3.0]])

    def seen(x: jax.Array) -> jax.Array:
        found = jnp.stack(rotation(*x))
        return weights[0] @ found.real + weights[1] @ found.imag

    check_derivative(seen, (at,), (jnp.array([0.4, -0.3, 0.2]),))
