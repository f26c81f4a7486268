"""Driven junctions and networks: dense twins, orders, unitarity, the first law."""

import functools
import itertools
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases.fermions import AT_REST, DRIVEN_TIMES, OTHER, as_network, driven_junction, keep
from cases.matrices import random_hermitian
from twins import textbook

import entropax as ex
from entropax.method.fermions.magnus import Exponentials
from entropax.method.fermions.splitstep import Rotations
from entropax.method.stepping import Steps, step_through

Array = np.ndarray

SILENT = diffrax.NoProgressMeter()
NO_STEP = Steps(jnp.array([2.0]), jnp.zeros(1), (jnp.array([2.0]), jnp.array([2.0])))
SPLIT, MAGNUS = ex.SplitStep(steps=120, order=4), ex.Magnus(steps=60)


@functools.cache
def solved() -> ex.Solution:
    return ex.solve(driven_junction(other=OTHER), DRIVEN_TIMES, SPLIT, save=keep)


@jax.jit
def energies(model: ex.Junction, ts: Any, method: Any) -> dict[str, Any]:
    """What needs no ledger, by a smaller program."""

    def show(state: Any) -> dict[str, Any]:
        own = zip(model.leads, state.occupations, strict=True)
        baths = jnp.stack([jnp.sum(lead.energies * n) for lead, n in own])
        return {
            "total": state.system_energy + state.interaction_energy + jnp.sum(baths),
            "baths": baths,
            "system": state.system_energy,
            "occupation": state.system[0, 0],
            "work": state.work,
        }

    plan = method.plan(model, jnp.asarray(ts))
    return plan.as_asked(method.run(plan, show, SILENT))


def begin(model: ex.Junction) -> float:
    """The total energy before anything is driven; a product has no energy of interaction."""
    before = model.before()
    energy = before.fixed_level * before.occupation
    return float(energy + before.mode_energies @ before.mode_occupations)


def dense(time: float, pieces: int) -> dict[str, Any]:
    """C(t) and the work by plain exponentials of the midpoint Hamiltonian, and jumps."""
    left, right = (
        (np.asarray(x.energies), np.asarray(x.couplings)) for x in driven_junction(0.0, None).leads
    )

    def h(t: float) -> Array:
        level = np.interp(t, (0.0, 0.9, 2.0, 3.0), (0.4, 1.3, -0.8, 0.2))
        gate = 0.0 if t < 0.0 else 1.0 - 0.3 * np.cos(2.0 * t) if t < 3.0 else 0.5
        other = 1.0 if t < 1.1 else 0.4
        return textbook.star(level, [(left[0], gate * left[1]), (right[0], other * right[1])])

    edges = np.unique([0.0, time, *(t for t in (0.9, 1.1, 2.0) if t < time)])
    start = np.asarray(driven_junction(0.0, None).initial_occupations)
    c = np.diag(start).astype(complex)
    before, work = h(-1.0), 0.0
    first = np.sum(before * c).real
    for start, stop in itertools.pairwise(edges):
        step = (stop - start) / pieces
        for i in range(pieces):
            h_now = h(start + (i + 0.5) * step)
            # sudden changes between constant pieces: all of the work
            work += np.sum((h_now - before) * c).real
            u = scipy.linalg.expm(-1j * step * h_now)
            c, before = u.conj() @ c @ u.T, h_now
    after = h(time)
    work += np.sum((after - before) * c).real
    return {"c": c, "work": work, "gained": np.sum(after * c).real - first}


def same(ledger: Any, other: Any, atol: float) -> None:
    for one, another in ((ledger, other), (ledger.terms, other.terms)):
        for name, value in vars(another).items():
            if name not in ("terms", "determined"):
                np.testing.assert_allclose(
                    getattr(one, name), value, rtol=0, atol=atol, err_msg=name
                )


def test_against_a_dense_program() -> None:
    sol = solved()
    for i, time in enumerate(DRIVEN_TIMES):
        coarse, fine = (dense(time, n) for n in (150, 300))
        # midpoints are of second order: extrapolate
        c = (4.0 * fine["c"] - coarse["c"]) / 3.0
        work = (4.0 * fine["work"] - coarse["work"]) / 3.0
        assert fine["work"] == pytest.approx(fine["gained"], abs=1e-12)
        state = jax.tree.map(lambda x: np.asarray(x)[i], sol.saved)  # noqa: B023
        np.testing.assert_allclose(state.level_row, c[0, 1:], rtol=0, atol=2e-8)
        ends = np.cumsum([1, 5, 6])
        for block, start, stop in zip(state.blocks, ends[:-1], ends[1:], strict=True):
            values = np.linalg.eigvalsh(c[start:stop, start:stop])
            np.testing.assert_allclose(np.linalg.eigvalsh(block), values, rtol=0, atol=2e-8)
        assert float(sol.ledger.work[i]) == pytest.approx(work, abs=2e-8)
        assert abs(work) > 0.05
        occupation = float(sol.ledger.system_occupation[i])
        assert occupation == pytest.approx(c[0, 0].real, abs=2e-8)


def test_network_and_junction_agree_in_every_field() -> None:
    model, star = driven_junction(other=OTHER), solved().ledger
    whole = ex.solve(as_network(model), DRIVEN_TIMES, MAGNUS).ledger
    # modes of a network are those of its baths' blocks: here the same
    same(star, whole, 2e-7)
    np.testing.assert_allclose(star.residual, 0.0, atol=1e-13)


def test_at_rest_it_is_the_exact_method() -> None:
    exact = ex.solve(driven_junction(0.5, None), DRIVEN_TIMES).ledger
    held = driven_junction(*AT_REST)
    same(ex.solve(held, DRIVEN_TIMES, SPLIT, save=keep).ledger, exact, 1e-9)
    same(ex.solve(as_network(held), DRIVEN_TIMES, MAGNUS).ledger, exact, 1e-11)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("kind", ["star", "dense"])
def test_order_of_convergence(kind: str, order: int) -> None:
    """Of the work, and of energies of level and couplings at the end.

    Two steps a leg, and legs of no length to fill up: one program for all numbers of steps.
    """
    model = driven_junction(lambda t: jnp.sin(1.7 * t), ex.Held(jnp.cos, 0.2, 1.0, 2.0))
    if kind == "star":
        own = Rotations(model, order)
    else:
        model = as_network(model)
        own = Exponentials(model, order)

    def show(x: Any, time: Any, work: Any) -> Any:
        del time
        return jnp.append(own.advance(x, own.coefficients(NO_STEP))[1][0], work)

    many = jax.jit(lambda ts: step_through(model, own, ts, 2, show, SILENT)[-1])
    one = jax.jit(lambda ts: step_through(model, own, ts, 400, show, SILENT)[0])

    def at_the_end(steps: int) -> Array:
        legs = steps // 2
        return np.asarray(many(np.append(2.0 * np.arange(1, legs + 1) / legs, [2.0] * (40 - legs))))

    counts = np.array([16, 24, 36, 54]) if order == 2 else np.array([24, 36, 54, 80])
    exact = np.asarray(one(np.array([2.0])))
    errors = np.array([np.abs(at_the_end(int(n)) - exact) for n in counts])
    slopes = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    np.testing.assert_allclose(slopes, -order, rtol=0, atol=0.1)


def test_unitary_after_ten_thousand_steps() -> None:
    model, ts = driven_junction(), jnp.array([3.0])
    for order in (2, 4):
        own = Rotations(model, order)
        run = jax.jit(lambda: step_through(model, own, ts, 10_000, lambda x, time, work: x, SILENT))  # noqa: B023
        x = jax.tree.map(lambda leaf: np.asarray(leaf)[0], run())
        both = np.concatenate([x.level[None], x.modes])
        size = model.sites
        u = both[:, :size] + 1j * both[:, size:]
        np.testing.assert_allclose(u.conj().T @ u, np.eye(size), rtol=0, atol=1e-12)


def test_first_law_and_what_breaks_it() -> None:
    model, led = driven_junction(other=OTHER), solved().ledger
    gap = led.total_energy - begin(model) - led.work
    np.testing.assert_allclose(gap, 0.0, atol=1e-8)
    rough = ex.solve(model, DRIVEN_TIMES, ex.SplitStep(steps=2), throw=False)
    assert np.all(rough.result == ex.RESULTS.unresolved)
    held = ex.solve(driven_junction(*AT_REST), DRIVEN_TIMES, ex.SplitStep(steps=2), throw=False)
    assert np.all(held.result == ex.RESULTS.unresolved)
    # nothing is driven: no protocol at all
    still = driven_junction(0.5, None)
    rough = energies(still, DRIVEN_TIMES, ex.SplitStep(steps=2))
    assert np.all(rough["work"] == 0.0)
    start = [lead.energies @ lead.initial_occupations for lead in still.leads]
    moved = np.sum(np.abs(rough["baths"] - np.array(start)), axis=-1) + np.abs(rough["system"])
    assert np.all(np.abs(rough["total"] - begin(still)) > 2e-6 * (moved + 0.5 * 0.3))


def test_first_law_of_splines_and_bounds() -> None:
    """Work takes slopes at both ends of each pair of steps: right there too."""
    spline = ex.Held(ex.CubicSpline((0.0, 0.9, 2.0, 3.0), (0.4, 1.3, -0.8, 0.2)), 0.0, 1.0, 3.0)
    line = ex.Bounded(ex.PiecewiseLinear((0.0, 1.2, 3.0), (0.0, 1.0, -1.0)), 0.2, 1.1)
    model = driven_junction(spline, line)
    seen = energies(model, DRIVEN_TIMES, ex.SplitStep(steps=400, order=4))
    np.testing.assert_allclose(seen["total"] - begin(model) - seen["work"], 0.0, atol=1e-8)
    assert np.max(np.abs(seen["work"])) > 0.05


def test_a_jump_between_saved_times_and_at_one() -> None:
    jump, method = (
        driven_junction(ex.PiecewiseConstant((1.1,), (0.5, -1.0)), None),
        ex.SplitStep(steps=60),
    )
    seen = energies(jump, [0.6, 1.1, 2.0], method)
    apart = energies(jump, [0.6, 2.0, 2.0], method)
    np.testing.assert_allclose(seen["work"][2], apart["work"][1:], rtol=0, atol=1e-8)
    rest = driven_junction(0.5, None)
    h = textbook.star(0.5, [(np.asarray(x.energies), np.asarray(x.couplings)) for x in rest.leads])
    c = textbook.correlation(h, np.diag(rest.initial_occupations), 1.1)
    expected = -1.5 * c[0, 0].real
    np.testing.assert_allclose(seen["work"], [0.0, expected, expected], rtol=0, atol=1e-8)
    np.testing.assert_allclose(seen["system"][1], -seen["occupation"][1], rtol=1e-12)


def test_a_saved_time_that_rounding_puts_before_a_jump() -> None:
    duration = 0.1 * 3
    assert duration > 0.3
    ramp = ex.PiecewiseLinear.ramp(1.0, -1.0, duration=duration, pieces=2)
    held = eqx.tree_at(lambda r: r.protocol.values, ramp, jnp.array([0.5, 0.0, -0.5]))
    model = driven_junction(held, None, modes=3)
    work = [energies(model, [t], ex.SplitStep(steps=24))["work"][0] for t in (0.3, duration)]
    assert float(work[0]) == pytest.approx(float(work[1]), abs=1e-12)


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
    method = ex.Magnus(steps=120)
    run = jax.jit(lambda plan: method.run(plan, lambda s: (s.correlation, s.work), SILENT))
    (correlation,), (work,) = map(np.asarray, run(method.plan(model, jnp.array([1.3]))))
    c0 = np.asarray(model.before().initial_correlation)
    count, u = 4000, np.eye(5)
    for i in range(count):
        t = 1.3 * (i + 0.5) / count
        u = scipy.linalg.expm(-1j * 1.3 / count * (h + np.sin(2 * t) * v)) @ u
    np.testing.assert_allclose(correlation, u.conj() @ c0 @ u.T, rtol=0, atol=2e-7)
    at_end = h + np.sin(2.6) * v
    gained = np.sum(at_end * correlation).real - np.sum(h * c0).real
    np.testing.assert_allclose(work, gained, rtol=0, atol=1e-7)


def test_no_times_are_no_entries() -> None:
    for model, method in (
        (driven_junction(), ex.SplitStep()),
        (as_network(driven_junction()), ex.Magnus()),
    ):
        plan = method.plan(model, jnp.zeros(0))
        run = jax.jit(lambda p: p.as_asked(method.run(p, lambda s: s.work, SILENT)))  # noqa: B023
        assert run(plan).shape == (0,)
        whole = eqx.filter_eval_shape(lambda m: ex.solve(m, [], method).ledger, model)  # noqa: B023
        assert whole.work.shape == whole.entropy_production.shape == (0,)
