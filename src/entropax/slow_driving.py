r"""Slow driving: the thermodynamic metric, and the shortest ways in it.

Close to equilibrium, what a slow drive dissipates is quadratic in its speed (Salamon, Berry 1983;
Sivak, Crooks 2012; Scandi, Perarnau-Llobet 2019),

$$ W_{diss} = \int \dot x^T g(x)\,\dot x\,dt \ge L^2/\tau, \qquad L = \int\sqrt{dx^T g\,dx}: $$

a duration $\tau$ is used best at constant speed along a geodesic.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax._checks import Numbers, check, concrete, finite_array, is_traced, require_count
from entropax._functions import as_pytree
from entropax._tolerances import AS_STATED
from entropax.control import optimise
from entropax.equilibrium import expectation
from entropax.method import AbstractIdealBathEquation
from entropax.model import OpenSystem
from entropax.model.views import temperatures
from entropax.protocol import PiecewiseLinear

Metric = Callable[[Array], Array]
"""g(x): a number where x is one, a matrix where x is a vector."""


def thermodynamic_metric(
    build: Callable[[Array], OpenSystem[Any, Any]], x: Numbers, method: AbstractIdealBathEquation
) -> Float[Array, "..."]:
    r"""$g_{ij} = \tfrac12\mathrm{tr}[X_i\,\mathcal{L}^D\partial_j\pi] + (i\leftrightarrow j)$.

    $X_i = \partial_i H_S$, $\mathcal{L}^D$ the Drazin inverse of the generator and $\pi$ its steady
    state: the state lags behind by $\mathcal{L}^D\dot\pi$.

    **Arguments:** `build`: the undriven model at x, with baths of one temperature; `x`: a number or
    a vector; `method`: `Davies`, `Local`, `Redfield` or `Lindblad`.

    Differentiable, and mapped over x by `jax.vmap`. Raises `ValueError` for baths of several
    temperatures, or none. Cost: O(d^6) and d^4 for each parameter.
    """
    if not isinstance(method, AbstractIdealBathEquation):
        raise ValueError(
            f"`method` must be one for ideal baths, such as Davies(), but is {method!r}."
        )
    point = finite_array("x", x, ndim=np.ndim(x))
    _require_one_temperature(build(point))
    metric = _metric(as_pytree(build), point, method)
    return metric if point.ndim else metric[0, 0]


@eqx.filter_jit
def _metric(
    build: Callable[[Array], OpenSystem[Any, Any]], point: Array, method: AbstractIdealBathEquation
) -> Float[Array, "n n"]:
    vector = jnp.atleast_1d(point)

    def at(vector: Array) -> OpenSystem[Any, Any]:
        return build(vector.reshape(point.shape))

    plan = method.plan_steady(at(vector))
    generator = plan.decided.generator(plan.model)
    trace = generator.trace()

    def steady(vector: Array) -> Array:
        return method.stationary(method.plan_steady(at(vector)))[0].state

    moved = jax.jacfwd(steady)(vector)
    forces = jax.jacfwd(lambda vector: at(vector).total_hamiltonian())(vector)
    weights = trace.ravel()
    matrix = generator.matrix() + weights[:, None] * weights[None, :] / jnp.sum(weights**2)

    def lag(change: Array) -> Array:
        solved = jnp.linalg.solve(matrix, generator.pack(change).ravel())
        return generator.unpack(solved.reshape(trace.shape))

    lags = jax.vmap(lag, in_axes=-1)(moved)
    each = jax.vmap(jax.vmap(expectation, (None, 0)), (-1, None))(forces, lags)
    return 0.5 * (each + each.T)


def resonant_level_metric(
    level: Numbers, coupling: Numbers, beta: Numbers, mu: Numbers = 0.0
) -> Float[Array, ""]:
    r"""The metric of a level in a wide band at any coupling, $x = \epsilon_d$.

    $$ g = \tfrac12\int\frac{d\omega}{2\pi}\,A(\omega)^2\,(-f'(\omega)), \qquad
       A = \frac{\Gamma}{(\omega-\epsilon_d)^2 + \Gamma^2/4} $$

    **Arguments:** `level`: $\epsilon_d$; `coupling`: $\Gamma > 0$, of all leads together; `beta`:
    positive. By Gauss' rule on panels about both peaks, to rounding at any ratio of their widths.
    """
    values = {"level": level, "coupling": coupling, "beta": beta, "mu": mu}
    energy, width, inverse, chemical = (
        finite_array(name, value, ndim=0) for name, value in values.items()
    )
    width = check("coupling", width, "positive", lambda xp, g: g > 0)
    temperature = 1.0 / check("beta", inverse, "positive", lambda xp, b: b > 0)
    wide, narrow = (
        _about_zero(base**k) for base, k in ((4.0, np.arange(-1, 14)), (2.0, np.arange(-2, 6)))
    )
    ends = chemical + _TAIL * temperature * jnp.array([-1.0, 1.0])
    # a narrow level may lie beyond
    ends = jnp.stack(
        [jnp.minimum(ends[0], energy - 64.0 * width), jnp.maximum(ends[1], energy + 64.0 * width)]
    )
    edges = jnp.concatenate([energy + width * wide, chemical + temperature * narrow, ends])
    edges = jnp.sort(jax.lax.stop_gradient(jnp.clip(edges, ends[0], ends[1])))
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = 0.5 * jnp.diff(edges)[:, None]
    omega = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes
    spectral = width / ((omega - energy) ** 2 + 0.25 * width**2)
    slope = 0.25 / temperature / jnp.cosh(0.5 * (omega - chemical) / temperature) ** 2
    return jnp.sum(half * weights * spectral**2 * slope) / (4.0 * jnp.pi)


def _about_zero(scales: np.ndarray) -> np.ndarray:
    return np.concatenate([-scales[::-1], [0.0], scales])


_TAIL = 40.0
"""Temperatures beyond which the slope of a Fermi function is below rounding."""


class Geodesic(eqx.Module):
    """The shortest way from one point to another, at constant speed.

    `times`: ascending, from 0; `values`: x at these; `length`: L, so that at least L^2 a duration
    is dissipated by slow drives.
    """

    times: Float[Array, " nodes"]
    values: Float[Array, "nodes parameters"]
    length: Float[Array, ""]

    @property
    def protocols(self) -> tuple[PiecewiseLinear, ...]:
        """One for each parameter: where an optimisation of slow drives may begin."""
        return tuple(PiecewiseLinear(self.times, column) for column in self.values.T)


def geodesic(
    metric: Metric,
    start: Numbers,
    end: Numbers,
    *,
    duration: Numbers,
    pieces: int = 64,
    steps: int = 200,
) -> Geodesic:
    r"""The way of least $\int\dot x^T g\,\dot x\,dt$ between two points in a given time.

    **Arguments:** `metric`: g(x), from `thermodynamic_metric`, `resonant_level_metric` or anywhere;
    `start`, `end`: numbers, or vectors of one length; `pieces`: straight lines of the protocol;
    `steps`: of the descent that bends the way between vectors.

    Between numbers the way is known and only its speed is looked for, $\dot x \propto g^{-1/2}$.
    Raises `ValueError` where the metric is not positive on the way.
    """
    first = jnp.atleast_1d(finite_array("start", start, ndim=np.ndim(start)))
    last = jnp.atleast_1d(finite_array("end", end, ndim=np.ndim(end)))
    if first.shape != last.shape:
        raise ValueError(f"`end` must have the shape of `start`, but has {last.shape}.")
    if not any(map(is_traced, (first, last))) and bool(jnp.all(first == last)):
        raise ValueError(f"`end` must differ from `start`, but both are {start!r}.")
    length = finite_array("duration", duration, ndim=0)
    length = check("duration", length, "positive", lambda xp, t: t > 0)
    count = require_count("pieces", pieces)
    is_number = np.ndim(start) == 0

    def squared(x: Array, dx: Array) -> Array:
        return metric(x[0]) * dx[0] ** 2 if is_number else dx @ metric(x) @ dx

    def lengths(nodes: Array, places: np.ndarray, weights: np.ndarray) -> Array:
        """Those of the pieces between nodes, by a rule on [0, 1]."""
        step = jnp.diff(nodes, axis=0)
        along = jnp.stack([nodes[:-1] + place * step for place in places])
        each = jax.vmap(lambda x: jax.vmap(squared)(x, step))(along)
        return jnp.asarray(weights) @ jnp.sqrt(each)

    fine = count * _FINER
    share = jnp.linspace(0.0, 1.0, fine + 1)[:, None]
    nodes = first + share * (last - first)
    if not is_number and first.shape[0] > 1:
        inner = nodes[_FINER:-1:_FINER]

        def action(inner: Array) -> Array:
            nodes = jnp.concatenate([first[None], inner, last[None]])
            return count * jnp.sum(lengths(nodes, np.array([0.5]), np.ones(1)) ** 2)

        bent = optimise(action, inner, steps=steps, tolerance=1e-9).value
        coarse = jnp.concatenate([first[None], bent, last[None]])
        places = jnp.linspace(0.0, 1.0, count + 1)
        nodes = jnp.stack([jnp.interp(share[:, 0], places, x) for x in coarse.T], axis=1)
    x, weights = np.polynomial.legendre.leggauss(3)
    each = lengths(nodes, 0.5 * (x + 1.0), 0.5 * weights)
    if not is_traced(bare := concrete(each)) and not np.all(np.asarray(bare) > 0.0):
        raise ValueError("`metric` must be positive between `start` and `end`, but is not.")
    passed = jnp.append(0.0, jnp.cumsum(each))
    even = jnp.linspace(0.0, 1.0, count + 1) * passed[-1]
    values = jnp.stack([jnp.interp(even, passed, x) for x in nodes.T], axis=1)
    values = values.at[0].set(first).at[-1].set(last)
    return Geodesic(length * jnp.linspace(0.0, 1.0, count + 1), values, passed[-1])


_FINER = 8
"""Pieces of the way whose lengths are added up, for each piece of the protocol."""


def _require_one_temperature(model: OpenSystem[Any, Any]) -> None:
    for name, values in zip(("beta", "mu"), map(concrete, temperatures(model)), strict=True):
        if is_traced(values):
            continue
        each = np.asarray(values)
        if not each.size or np.ptp(each) > AS_STATED * np.max(np.abs(each)):
            raise ValueError(f"`build` must make a model with baths of one {name}, but has {each}.")
