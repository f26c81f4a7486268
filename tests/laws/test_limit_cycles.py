"""Limit cycles against a closed form, against many periods, and cycles that run down."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import KEY, SX
from derivatives import check_derivative

import entropax as ex

Array = np.ndarray

LOWERING = np.array([[0.0, 1.0], [0.0, 0.0]])


def two_strokes(
    strokes: Any = (1.0, 1.0),
    rate: Any = 1.0,
    levels: Any = (2.5, 1.0),
    temperatures: Any = (2.0, 0.5),
) -> ex.OpenSystem:
    """A dot that exchanges with the hot bath at one energy, then with the cold one at another."""
    first, root = jnp.reshape(strokes[0], 1), jnp.sqrt(jnp.asarray(rate))
    nothing = jnp.zeros_like(root)
    switches = ((root, nothing), (nothing, root))
    couplings = tuple(
        ex.Coupling(
            LOWERING,
            ex.ThermalBath(1.0 / t, ex.FlatSpectrum(1.0), statistics="fermi"),
            ex.PiecewiseConstant(first, jnp.stack(switch)),
        )
        for t, switch in zip(temperatures, switches, strict=True)
    )
    level = ex.PiecewiseConstant(first, jnp.stack([jnp.asarray(e, float) for e in levels]))
    return ex.OpenSystem((0.0, level), couplings, ex.Gibbs(1.0))


def closed_form(
    strokes: Any = (1.0, 1.0),
    rate: Any = 1.0,
    levels: Any = (2.5, 1.0),
    temperatures: Any = (2.0, 0.5),
) -> dict[str, Any]:
    x, y = rate * strokes[0], rate * strokes[1]
    hot, cold = (1.0 / (1.0 + jnp.exp(e / t)) for e, t in zip(levels, temperatures, strict=True))
    whole = -jnp.expm1(-(x + y))
    p_h = (-hot * jnp.expm1(-x) - jnp.exp(-x) * cold * jnp.expm1(-y)) / whole
    p_c = (-cold * jnp.expm1(-y) - jnp.exp(-y) * hot * jnp.expm1(-x)) / whole
    moved = p_h - p_c
    return {
        "work": -(levels[0] - levels[1]) * moved,
        "heat": jnp.array([levels[0] * moved, -levels[1] * moved]),
        "entropy_production": moved * (levels[1] / temperatures[1] - levels[0] / temperatures[0]),
        "rate": (x + y) / (strokes[0] + strokes[1]),
        "state": jnp.diag(jnp.array([1.0 - p_c, p_c])),
    }


def assert_closed(cycle: ex.LimitCycle, **changes: Any) -> None:
    for field, expected in closed_form(**changes).items():
        np.testing.assert_allclose(
            getattr(cycle, field), expected, rtol=0, atol=1e-10, err_msg=field
        )


def test_two_strokes_are_the_closed_form() -> None:
    """Numbers from outside: p = .19486545023, .147037610617; W, Q_h and power."""
    cycle = ex.limit_cycle(two_strokes(), 2.0, ex.Davies())
    assert_closed(cycle)
    assert float(cycle.work) == pytest.approx(-0.0717417594201, abs=1e-12)
    assert float(cycle.heat[0]) == pytest.approx(0.119569599034, abs=1e-12)
    assert float(cycle.power) == pytest.approx(-0.0358708797101, abs=1e-12)
    assert float(cycle.efficiency) == pytest.approx(0.6, abs=1e-11)
    assert float(cycle.state[1, 1].real) == pytest.approx(0.147037610617, abs=1e-12)
    assert not cycle.failed
    # turned around it is a refrigerator: the heat of the cold bath for the work
    cooling = {"levels": (3.0, 0.5), "temperatures": (1.0, 0.8)}
    cycle = ex.limit_cycle(two_strokes(**cooling), 2.0, ex.Davies())
    assert_closed(cycle, **cooling)
    assert float(cycle.efficiency) == pytest.approx(0.5 / 2.5, abs=1e-11)


def test_derivatives_by_period_and_strength() -> None:
    def yields(x: Array, y: Array) -> jax.Array:
        cycle = ex.limit_cycle(two_strokes((x, y - x), rate=x * y), y, ex.Davies(), times=4)
        return cycle.work + cycle.entropy_production + cycle.rate

    args = (np.array(0.7), np.array(2.1))
    check_derivative(yields, args, (np.array(1.0), np.array(-0.4)), tolerance=1e-7)

    def known(x: Any, y: Any) -> Any:
        values = closed_form((x, y - x), rate=x * y)
        return values["work"] + values["entropy_production"] + values["rate"]

    slopes, expected = (jax.grad(f, argnums=(0, 1))(0.7, 2.1) for f in (yields, known))
    np.testing.assert_allclose(slopes, expected, rtol=0, atol=1e-9)


def test_a_batch_is_a_loop() -> None:
    rates = jnp.array([0.5, 2.0, 7.0])

    def work(rate: jax.Array) -> jax.Array:
        return ex.limit_cycle(two_strokes(rate=rate), 2.0, ex.Davies(), times=4).work

    each = [closed_form(rate=rate)["work"] for rate in rates]
    np.testing.assert_allclose(jax.jit(jax.vmap(work))(rates), each, rtol=0, atol=1e-12)


def driven_qubit(cycles: int = 1) -> ex.OpenSystem:
    """All of it driven smoothly, with eigenstates that turn."""
    period = 3.0

    def wave(height: float, phase: float) -> Any:
        return ex.Smooth(lambda t: height * jnp.sin(2 * jnp.pi * t / period + phase), width=period)

    bath = ex.ThermalBath(1.0, ex.FlatSpectrum(0.4), zero_frequency_rate=0.2)
    link = ex.Coupling(SX, bath, ex.Periodic(wave(1.0, 0.4), period, cycles))
    drives = (ex.Drive(SX, wave(0.4, 0.0)), ex.Drive(np.diag([0.0, 1.0]), wave(0.3, 1.0)))
    return ex.OpenSystem((0.0, 1.0), (link,), ex.Gibbs(1.0), drives=drives)


def test_the_end_of_many_periods_is_the_limit_cycle() -> None:
    method = ex.Davies(rtol=1e-11, atol=1e-13)
    cycle = ex.limit_cycle(driven_qubit(), 3.0, method)
    led = ex.solve(driven_qubit(80), [237.0, 240.0], method).ledger
    np.testing.assert_allclose(cycle.state, led.state[1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(cycle.work, np.diff(led.work)[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(cycle.heat, np.diff(led.heat, axis=0)[0], rtol=0, atol=1e-9)
    assert 80 * 3.0 * float(cycle.rate) > 25.0  # what was not it has decayed
    np.testing.assert_allclose(cycle.ledger.state[-1], cycle.state, rtol=0, atol=1e-9)


def test_what_is_conserved_leaves_no_single_cycle() -> None:
    bath = ex.ThermalBath(1.0, ex.FlatSpectrum(1.0), zero_frequency_rate=1.0)
    level = ex.PiecewiseConstant((1.0,), (1.0, 2.0))
    dephased = ex.OpenSystem((0.0, level), (ex.Coupling(np.diag([1.0, 0.0]), bath),), ex.Gibbs(1.0))
    cycle = ex.limit_cycle(dephased, 2.0, ex.Davies(), throw=False)
    assert cycle.failed
    with pytest.raises(RuntimeError, match="not unique"):
        ex.limit_cycle(dephased, 2.0, ex.Davies())


def windows(cycles: int) -> ex.OpenSystem:
    bath = ex.WindowBath((0.0, 1.0, 2.0), (3, 4, 5), width=0.5)
    level = ex.Periodic(ex.PiecewiseConstant((2.0,), (1.0, 2.0)), 4.0, cycles)
    link = ex.Coupling(SX, bath, 0.2, ex.RandomBands())
    return ex.OpenSystem((0.0, level), (link,), ex.Product(1, windows=([0.1, 0.3, 0.6],)))


@pytest.mark.parametrize("method", [ex.Schrodinger(KEY), ex.EMME()], ids=["exact", "EMME"])
def test_cycles_of_a_finite_bath_add_up(method: Any) -> None:
    run = ex.cycles(windows(3), 4.0, 3, method)
    led = ex.solve(windows(3), np.arange(4) * 4.0, method).ledger
    np.testing.assert_allclose(np.cumsum(run.work), led.work[1:] - led.work[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(run.heat.sum(0), led.heat[-1], rtol=0, atol=1e-12)
    produced = led.entropy_production[-1] - led.entropy_production[0]
    np.testing.assert_allclose(run.entropy_production.sum(), produced, rtol=0, atol=1e-12)
    balance = run.work + run.heat.sum(-1) - run.stored
    np.testing.assert_allclose(balance, 0.0, rtol=0, atol=1e-9)
    assert run.efficiency.shape == (3,)


def test_a_cycle_that_is_no_state_is_told() -> None:
    """Redfield's equation far beyond weak coupling: negative populations."""
    first = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.3], [1.0, 0.3, 0.0]])
    second = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    baths = [ex.ThermalBath(beta, ex.FlatSpectrum(3.0)) for beta in (4.0, 1.0)]
    links = [ex.Coupling(a, bath) for a, bath in zip((first, second), baths, strict=True)]
    energies = (0.0, ex.PiecewiseConstant((1.0,), (1.0, 1.2)), 1.3)
    model = ex.OpenSystem(energies, links, ex.Gibbs(1.0))
    cycle = ex.limit_cycle(model, 2.0, ex.Redfield(), throw=False)
    assert cycle.result == ex.RESULTS.unphysical
    assert float(np.linalg.eigvalsh(cycle.state)[0]) < -0.1
    with pytest.raises(RuntimeError, match="Probabilities are negative"):
        ex.limit_cycle(model, 2.0, ex.Redfield())
