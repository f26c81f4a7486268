"""Every field of a ledger by every number: at the start, late, cold, hot, degenerate.

Derivatives are held against differences of values, which other tests hold against twins. For free
fermions `test_fermion_gradients` and those beside it do so, with differences of dense NumPy.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import KEY, SX
from derivatives import difference, one_sided_difference

import entropax as ex

Array = np.ndarray

TIGHT: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-14}
FORWARD = TIGHT | {"adjoint": diffrax.ForwardMode()}


def numbers(ledger: Any) -> dict[str, jax.Array]:
    """All that is a number in a ledger of one time, by name; real and imaginary parts apart."""
    found = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(ledger)[0]:
        name, value = jax.tree_util.keystr(path), jnp.asarray(leaf)
        if jnp.iscomplexobj(value):
            found |= {f"{name}.real": value.real, f"{name}.imag": value.imag}
        elif jnp.issubdtype(value.dtype, jnp.floating):
            found[name] = value
    return found


def qubit(method: Any, x: jax.Array) -> dict[str, jax.Array]:
    """Between two ohmic baths, from any state."""
    gap, *betas, first, second, upper, coherence, time = x
    baths = [
        ex.ThermalBath(beta, ex.OhmicSpectrum(strength, 5.0))
        for beta, strength in zip(betas, (first, second), strict=True)
    ]
    state = jnp.array([[1.0 - upper, coherence], [coherence, upper]]) + 0j
    couplings = [ex.Coupling(SX, bath) for bath in baths]
    model = ex.OpenSystem((0.0 * gap, gap), couplings, ex.Product(system=state))
    return numbers(ex.solve(model, time[None], method, throw=False).ledger)


QUBIT = {
    #             gap  beta   beta  J    J    upper coherence t
    "ordinary": (1.0, 0.5, 2.0, 0.3, 0.7, 0.3, 0.1, 0.7),
    "start": (1.0, 0.5, 2.0, 0.3, 0.7, 0.3, 0.1, 0.0),
    "late": (1.0, 0.5, 2.0, 0.3, 0.7, 0.3, 0.1, 500.0),
    "cold": (1.0, 60.0, 80.0, 0.3, 0.7, 0.3, 0.1, 0.7),
    "cold and late": (1.0, 60.0, 80.0, 0.3, 0.7, 0.3, 0.1, 60.0),
    "hot, rates above 1e3": (1.0, 1e-3, 2e-3, 0.3, 0.7, 0.3, 0.1, 0.7),
    "degenerate": (0.0, 0.5, 2.0, 0.3, 0.7, 0.3, 0.1, 0.7),
    "equilibrium": (1.0, 2.0, 2.0, 0.3, 0.3, 0.3, 0.1, 0.7),
}


def spin(method: Any, x: jax.Array) -> dict[str, jax.Array]:
    """Beside a bath of three windows."""
    gap, beta, strength, upper, width, time = x
    bath = ex.WindowBath((0.0, 1.0, 2.0), (6, 10, 14), width)
    link = ex.Coupling(SX, bath, strength, ex.RandomBands())
    start = ex.Product(system=jnp.stack([1.0 - upper, upper]), beta=(beta,))
    model = ex.OpenSystem((0.0 * gap, gap), (link,), start)
    return numbers(ex.solve(model, time[None], method, throw=False).ledger)


SPIN = {
    #             gap  beta  strength upper width t
    "ordinary": (1.1, 1.3, 0.1, 0.3, 0.5, 5.0),
    "on resonance": (1.0, 1.3, 0.1, 0.3, 0.5, 5.0),
    "start": (1.1, 1.3, 0.1, 0.3, 0.5, 0.0),
    "late": (1.1, 1.3, 0.1, 0.3, 0.5, 3000.0),
    "cold": (1.1, 30.0, 0.1, 0.3, 0.5, 5.0),
    "hot": (1.1, 0.0, 0.1, 0.3, 0.5, 5.0),
    "inverted": (1.1, -1.3, 0.1, 0.3, 0.5, 5.0),
}

FAMILIES: dict[str, tuple[Callable[..., Any], Any, dict[str, tuple[float, ...]]]] = {
    "Davies": (qubit, ex.Davies(**FORWARD), QUBIT),
    "Local": (qubit, ex.Local(**FORWARD), QUBIT),
    "Redfield": (qubit, ex.Redfield(**FORWARD), QUBIT),
    "EMME": (spin, ex.EMME(coherences=False), SPIN),
    "EMME, states": (spin, ex.EMME(coherences=True, **FORWARD), SPIN),
    "frozen": (spin, ex.BornMarkovSecular(**FORWARD), SPIN),
    "exact": (spin, ex.Schrodinger(key=KEY), {k: v for k, v in SPIN.items() if k != "late"}),
}


@functools.cache
def programs(name: str) -> tuple[Callable, Callable]:
    make, method, _ = FAMILIES[name]
    fields = functools.partial(make, method)
    return jax.jit(fields), jax.jit(jax.jacfwd(fields))


def slope(value: Callable, x: Array, number: int, *, at_start: bool) -> dict[str, Array]:
    """All fields by one number, by differences of values."""
    names = list(value(jnp.asarray(x)))

    def flat(x: Array) -> Array:
        found = value(jnp.asarray(x))
        return np.concatenate([np.ravel(found[name]) for name in names])

    direction = np.eye(len(x))[number]
    # steps are long beside rounding and short beside what the numbers themselves measure
    step = 1e-3 * max(abs(x[number]), 1e-3 if 0.0 < abs(x[number]) < 0.01 else 0.2)
    with np.errstate(invalid="ignore"):  # infinite entropies have no differences
        take = one_sided_difference if at_start else difference
        found = take(flat, (x,), (direction,), step)
    shapes = {name: np.shape(array) for name, array in value(jnp.asarray(x)).items()}
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(found, ends[:-1])
    return {name: part.reshape(shapes[name]) for name, part in zip(names, parts, strict=True)}


@pytest.mark.parametrize(
    ("name", "regime"), [(name, regime) for name in FAMILIES for regime in FAMILIES[name][2]]
)
def test_every_field_by_every_number(name: str, regime: str) -> None:
    value, jacobian = programs(name)
    x = np.array(FAMILIES[name][2][regime])
    slopes, last = jacobian(jnp.asarray(x)), len(x) - 1
    for number in range(len(x)):
        if regime == "degenerate" and number == 0:
            continue  # other terms are secular there: the equation itself is not continuous
        expected = slope(value, x, number, at_start=regime == "start" and number == last)
        for field, array in expected.items():
            own, known = np.asarray(slopes[field])[..., number], np.isfinite(array)
            bound = 1e-6 * (1.0 + np.abs(array))
            assert np.all(np.abs(own - array)[known] <= bound[known]), (field, number, own, array)


@pytest.mark.parametrize("name", ["Davies", "Redfield", "EMME"])
def test_reverse_mode_agrees_where_rates_are_large(name: str) -> None:
    """Explicit steps would leave the value as it is, and let derivatives grow without bound."""
    make, method, points = FAMILIES[name]
    if isinstance(method, ex.Davies | ex.Redfield):
        method = dataclasses.replace(method, adjoint=diffrax.RecursiveCheckpointAdjoint())
    regime = "late" if name == "EMME" else "hot, rates above 1e3"
    x = jnp.array(points[regime])
    backward = jax.jit(jax.grad(lambda x: jnp.sum(make(method, x)[".entropy_production"])))(x)
    forward = np.asarray(programs(name)[1](x)[".entropy_production"])[0]
    np.testing.assert_allclose(backward, forward, rtol=1e-9, atol=1e-9)
