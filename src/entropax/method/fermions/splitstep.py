r"""Driven junctions: exactly unitary steps of O(modes) per column.

In the picture of the modes' own energies H(t) has rank two: the level $\epsilon_d(t)$ and its
coupling to one vector of modes, $c_k(t) = g_\nu(t)\, t_{\nu k} e^{i\epsilon_k t}$. With both
frozen for a time $\tau$, and $w = c^\dagger U$ the part of U that the level sees,

$$ U_d \to \alpha U_d + \beta w, \qquad U_k \to U_k + c_k (\beta U_d + \gamma w), $$

which is a rotation in the plane of the level and c. Symmetric compositions of them are of order 2
and 4.

Many rotations $c_s$ are applied together: they add $\sum_s c_s b_s^T$ to U, where the rows $b_s$
follow from $c_s^\dagger U$ and the small matrix $c_s^\dagger c_r$ by one triangular system.
"""

import math
from typing import Literal, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from entropax._checks import whole
from entropax._crossovers import ROTATIONS_TOGETHER
from entropax.method.base import Plan, require_model
from entropax.method.compositions import SPLITTINGS
from entropax.method.fermions.junction_exact import product_state, squared
from entropax.method.stepping import AbstractPropagator, AbstractSteppedMethod, Steps
from entropax.model import Junction
from entropax.state import AbstractFermionState, ProductState, StarState

_SERIES = np.array([(-1.0) ** n / math.factorial(2 * n + 1) for n in range(10)])[::-1]
"""Coefficients of sin(x)/x in x^2, right to rounding up to x = 1."""

_GAUSS = np.polynomial.legendre.leggauss(10)
_NODES, _WEIGHTS = 0.5 * (_GAUSS[0] + 1.0), 0.5 * _GAUSS[1]
"""Nodes and weights of Gauss' rule on [0, 1]."""


class SplitStep(AbstractSteppedMethod[ProductState | StarState]):
    r"""Junctions with a driven level and driven couplings, by unitary steps (split operators).

    The Hamiltonian is split into the modes' energies, which are taken exactly, and the level with
    its couplings, frozen within a step: unitary at any step, and, also where nothing is driven,
    off by $O(h^2)$ or $O(h^4)$. Where steps resolve neither the driving nor the band, the first law
    does not close, and `Solution.result` is `unresolved`; pulses are looked for beforehand
    (`entropax.sharpness`).

    **Arguments:** `steps`: between neighbouring times, rounded up to an even number (a step should
    be short beside the inverse band width); `order`: 4, or 2 at a sixth of the cost.

    Cost: O(sites^2) a step, and an eigenproblem of each lead a time asked for; memory of the
    gradient O(sites^2 sqrt(steps)) and some numbers a step. Derivatives forward and reverse in
    every number of the model and of its protocols.
    """

    states = AbstractFermionState

    steps: int = eqx.field(default=1000, static=True, converter=whole)
    order: Literal[2, 4] = eqx.field(default=4, static=True)

    def require(self, model: eqx.Module) -> Junction:
        require_model(self, model, Junction, " (a driven FermionNetwork: Magnus)")
        return cast(Junction, model)

    def propagator(self, model: Junction) -> "Rotations":
        return Rotations(model, self.order)

    def initial(self, plan: Plan[Junction, None]) -> ProductState:
        return product_state(plan.model.before())


class Columns(NamedTuple):
    """U in the picture of the modes' energies: real parts of all columns, then imaginary ones."""

    level: Float[Array, " 2*sites"]
    modes: Float[Array, "modes 2*sites"]


class RotationFactors(NamedTuple):
    r"""Rotations of so many stages a step: when, under which controls, and their factors."""

    end: Float[Array, " steps"]
    times: Float[Array, "steps stages"]
    controls: Float[Array, "steps stages controls"]
    alpha: Complex[Array, "steps stages"]
    beta: Complex[Array, "steps stages"]
    gamma: Complex[Array, "steps stages"]


class Rotations(AbstractPropagator):
    """U of a junction, carried by rotations."""

    junction: Junction
    order: int = eqx.field(static=True)

    @property
    def block(self) -> int:
        return max(1, ROTATIONS_TOGETHER.here // (2 * len(SPLITTINGS[self.order][1])))

    def begin(self) -> Columns:
        sites = self.junction.sites
        unit = jnp.eye(sites)
        both = jnp.concatenate([unit, jnp.zeros((sites, sites))], axis=1)
        return Columns(both[0], both[1:])

    def forces(self, x: Columns) -> Float[Array, " controls"]:
        seen = _project(self._gated(jnp.zeros(())), x.modes)
        return self._forces(_complex(x.level), seen)

    def coefficients(self, steps: Steps) -> "RotationFactors":
        outer, inner = SPLITTINGS[self.order]
        nodes = np.cumsum(outer[: len(inner)]).tolist()
        controls = steps.controls(self.junction, nodes)

        def factors(controls: Array, duration: Array) -> tuple[Array, Array, Array]:
            undriven = self.junction.with_controls(controls)
            squares = jnp.stack([jnp.sum(lead.couplings**2) for lead in undriven.leads])
            return rotation(undriven.fixed_level - self._zero, jnp.sum(squares), duration)

        durations = steps.length[:, None] * jnp.array(inner)
        rotations = jax.checkpoint(jax.vmap(jax.vmap(factors)))(controls, durations)
        return RotationFactors(steps.begin + steps.length, steps.times(nodes), controls, *rotations)

    def advance(
        self, x: Columns, coefficients: "RotationFactors"
    ) -> tuple[Columns, Float[Array, "steps controls"]]:
        def vector(time: Array, controls: Array) -> Array:
            return self.junction.with_controls(controls).mode_couplings * self._phases(time)

        steps, inner = coefficients.times.shape
        stages = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), coefficients)
        vectors = jax.vmap(vector)(stages.times, stages.controls)
        grown, rows = _rotate(x, vectors, stages.alpha, stages.beta, stages.gamma)
        levels = rows[inner::inner]
        # the gated couplings after each step, which sees what was grown before
        gated = jax.vmap(self._gated)(coefficients.end)
        seen = _project(gated.reshape(-1, gated.shape[-1]), x.modes)
        number, done = jnp.arange(steps * inner), (1 + jnp.arange(steps)) * inner
        overlap = gated.conj() @ vectors.T * (number < done[:, None])[:, None, :]
        seen = seen.reshape(*gated.shape[:2], seen.shape[-1]) + overlap @ grown
        forces = jax.vmap(self._forces)(levels, seen)
        wide = jnp.concatenate([_real(grown), _real(1j * grown)])
        added = jnp.concatenate([vectors.real, vectors.imag]).T @ wide
        return Columns(_real(levels[-1]), x.modes + added), forces

    def _gated(self, time: Float[Array, ""]) -> Complex[Array, "gates modes"]:
        """c of each lead that has a gate, at g = 1, and zero in the others."""
        junction = self.junction
        vector = junction.mode_couplings * self._phases(time)
        gated = [jnp.zeros((0, vector.shape[0]), complex)]
        for lead, modes in zip(junction.leads, junction.lead_slices, strict=True):
            if lead.gate is not None:
                gated.append(jnp.zeros_like(vector).at[modes].set(vector[modes])[None])
        return jnp.concatenate(gated)

    def _forces(
        self, level: Complex[Array, " sites"], seen: Complex[Array, "gates sites"]
    ) -> Float[Array, " controls"]:
        """Occupation of the level, and the energy of each gate's coupling at g = 1."""
        n = self.junction.initial_occupations
        return jnp.concatenate([(n @ squared(level))[None], 2.0 * (level.conj() * seen).real @ n])

    def state(self, x: Columns, time: Float[Array, ""], work: Float[Array, ""]) -> StarState:
        """What the ledger asks for; entropies do not see the picture's phases."""
        undriven = self.junction.at(time)
        n = self.junction.initial_occupations
        level, modes = _complex(x.level), _complex(x.modes)
        row = self._phases(time).conj() * (modes @ (n * level.conj()))
        weighted = modes.conj() * n
        blocks = tuple(weighted[s] @ modes[s].T for s in undriven.lead_slices)
        occupations = tuple(jnp.diagonal(block).real for block in blocks)
        filled = n @ squared(level)
        return StarState(
            system=filled[None, None],
            occupations=occupations,
            system_energy=undriven.fixed_level * filled,
            interaction_energy=2.0 * jnp.sum(undriven.mode_couplings * row.real),
            work=work,
            propagator=jnp.concatenate([level[None], self._phases(time).conj()[:, None] * modes]),
            level_row=row,
            leads=blocks,
            amplitudes=squared(level),
            start=n,
        )

    @property
    def _zero(self) -> Float[Array, ""]:
        """Energies are counted from the middle of the modes: no step can depend on their zero."""
        energies = jax.lax.stop_gradient(self.junction.mode_energies)
        return 0.5 * (jnp.min(energies) + jnp.max(energies))

    def _phases(self, time: Float[Array, ""]) -> Complex[Array, " modes"]:
        angle = (self.junction.mode_energies - self._zero) * time
        return jax.lax.complex(jnp.cos(angle), jnp.sin(angle))


def rotation(
    level: Float[Array, ""], squared: Float[Array, ""], duration: Float[Array, ""]
) -> tuple[Complex[Array, ""], Complex[Array, ""], Complex[Array, ""]]:
    r"""$\alpha, \beta, \gamma$ of the module's head for $|c|^2$ = `squared`, at c = 0 too.

    For $\dot U_d = -i(\epsilon U_d + w)$, $\dot w = -i|c|^2 U_d$ and the growth of $U_k/c_k$,
    $\dot b = -iU_d$: with $\omega^2 = \epsilon^2/4 + |c|^2$,

    $$ \alpha = e^{-i\epsilon\tau/2}(\cos\omega\tau - \frac{i\epsilon}{2\omega}\sin\omega\tau),
       \quad \beta = -\frac{i}{\omega}\, e^{-i\epsilon\tau/2}\sin\omega\tau,
       \quad \gamma = -i\int_0^\tau\beta\,d\tau. $$
    """
    e, s = level * duration, squared * duration**2
    y = 0.25 * e**2 + s
    is_short = y < 0.25
    # long steps: the divided difference of e^{-ix} over 0 and the eigenvalues a, b of (e, 1; s, 0)
    a = 0.5 * e + jnp.where(e < 0, -1.0, 1.0) * jnp.sqrt(jnp.where(is_short, 1.0, y))
    b = -s / jnp.where(is_short, 1.0, a)
    # short ones: Gauss' rule
    few = _NODES**2 * jnp.where(is_short, y, 0.0)
    # one series for all, and not once more wherever one of them is used
    sines = _even_sinc(jnp.concatenate([jnp.stack([y, 0.25 * y, 0.25 * b**2]), few]))
    sines = jnp.asarray(jax.lax.optimization_barrier(sines))
    sine, half, near = sines[:3]
    turn = jnp.exp(-0.5j * e)
    alpha = turn * (1.0 - 0.5 * y * half**2 - 0.5j * e * sine)
    beta = -1j * turn * sine
    short = -(_WEIGHTS * _NODES * jnp.exp(-0.5j * _NODES * e)) @ sines[3:]
    long = (beta + 1j * jnp.exp(-0.5j * b) * near) / a
    gamma = jnp.asarray(jnp.where(is_short, short, long))
    return alpha, beta * duration, gamma * duration**2


def _even_sinc(y: Array) -> Array:
    r"""$\sin\sqrt y/\sqrt y$, smooth at 0."""
    is_small = y < 1.0
    root = jnp.sqrt(jnp.where(is_small, 1.0, y))
    series = jnp.polyval(_SERIES, jnp.where(is_small, y, 0.0))
    return jnp.where(is_small, series, jnp.sin(root) / root)


def _rotate(
    x: Columns,
    vectors: Complex[Array, "stages modes"],
    alpha: Complex[Array, " stages"],
    beta: Complex[Array, " stages"],
    gamma: Complex[Array, " stages"],
) -> tuple[Complex[Array, "stages sites"], Complex[Array, "stages+1 sites"]]:
    r"""The rows $b_s$, and the level's row before each stage and at the end.

    With $d_{s+1} = \alpha_s d_s + \beta_s w_s$, $b_s = \beta_s d_s + \gamma_s w_s$ and
    $w_s = c_s^\dagger U + \sum_{r<s} c_s^\dagger c_r\, b_r$: triangular in $(d_0, w_0, d_1, ...)$.
    """
    stages = vectors.shape[0]
    overlap = jnp.tril(vectors.conj() @ vectors.T, -1)
    # rows and columns: number of the stage, then which of d and w
    matrix = jnp.zeros((stages + 1, 2, stages + 1, 2), complex)
    later, stage = np.arange(1, stages + 1), np.arange(stages)
    matrix = matrix.at[later, 0, stage, 0].set(alpha).at[later, 0, stage, 1].set(beta)
    matrix = matrix.at[:stages, 1, :stages, 0].set(overlap * beta)
    matrix = matrix.at[:stages, 1, :stages, 1].set(overlap * gamma)
    size = 2 * stages + 1
    matrix = jnp.eye(size) - matrix.reshape(size + 1, size + 1)[:size, :size]
    right_side = jnp.zeros((stages + 1, 2, x.level.shape[0] // 2), complex)
    right_side = right_side.at[0, 0].set(_complex(x.level))
    right_side = right_side.at[:stages, 1].set(_project(vectors, x.modes))
    right = right_side.reshape(size + 1, -1)[:size]
    solved = jax.scipy.linalg.solve_triangular(matrix, right, lower=True, unit_diagonal=True)
    levels, seen = solved[::2], solved[1::2]
    grown = beta[:, None] * levels[:-1] + gamma[:, None] * seen
    return grown, levels


def _project(
    vectors: Complex[Array, "m modes"], modes: Float[Array, "modes pairs"]
) -> Complex[Array, "m n"]:
    """c^dagger U."""
    parts = jnp.concatenate([vectors.real, vectors.imag]) @ modes
    real, imaginary = jnp.split(parts, 2)
    (rr, ri), (ir, ii) = jnp.split(real, 2, axis=1), jnp.split(imaginary, 2, axis=1)
    return jax.lax.complex(rr + ii, ri - ir)


def _complex(pairs: Float[Array, "*shape pairs"]) -> Complex[Array, "*shape n"]:
    half = pairs.shape[-1] // 2
    return jax.lax.complex(pairs[..., :half], pairs[..., half:])


def _real(numbers: Complex[Array, "*shape n"]) -> Float[Array, "*shape 2*n"]:
    return jnp.concatenate([numbers.real, numbers.imag], axis=-1)
