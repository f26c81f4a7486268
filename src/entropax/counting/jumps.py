r"""Counting fields on the jumps of a small system between ideal baths (full counting statistics).

A jump hands the energy $\omega$ and n particles to its bath. With the gain $G_c$ of each channel
and $h\rho = \frac12\{H, \rho\}$, jumps weighted with $e^{u(e\omega + \nu n)}$ are

$$ L(u) = L + \sum_c \big(e^{u\nu n}\, e^{-ueh} G_c\, e^{ueh} - G_c\big), $$

since each gain takes H down by $\omega$. Its dominant eigenvalue is the generating function of
steady cumulants, found order by order from $L\pi = 0$ (Flindt et al. 2008).
"""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from entropax._checks import is_traced
from entropax.counting.kinds import OF_ALL, number_and_energy
from entropax.linalg import Exponential, matfn, stationary
from entropax.method import Davies, Lindblad, Local, Redfield
from entropax.method.ideal.dissipators import SecularDissipator
from entropax.method.ideal.equation import AbstractEquation
from entropax.method.ideal.generators import AbstractGenerator, SecularGenerator
from entropax.method.ideal.master_equation import AbstractIdealBathEquation
from entropax.method.ideal.rates import Transitions, transitions
from entropax.model.transition_frequencies import bare_spectrum, total_spectrum
from entropax.model.views import IdealSystem, as_ideal, jumps, temperatures

NO_LAW = (
    "Redfield's equation is not a sum of jumps with positive rates: what is counted under it has "
    "cumulants, but no law of probability."
)


class JumpCounts(eqx.Module):
    """The generator of an undriven model over forms of a state, and the gain of each channel.

    `weight`: w with w.y the trace; `bath` and `particles`: of each channel; `start`: the form of
    the state that the model starts in, None where it was not asked for.
    """

    generator: Float[Array, "n n"]
    gains: Float[Array, "channels n n"]
    energy: Float[Array, "n n"]
    """The map h."""
    weight: Float[Array, " n"]
    beta: Float[Array, " baths"]
    mu: Float[Array, " baths"]
    width: Float[Array, ""]
    """The largest quantum."""
    start: Float[Array, " n"] | None
    bath: tuple[int, ...] = eqx.field(static=True)
    particles: tuple[int, ...] = eqx.field(static=True)
    is_plain: bool = eqx.field(static=True)
    """Whether forms are populations of energy eigenstates, and nothing else."""

    def weights(self, of: str, bath: int | None) -> Float[Array, "baths 2"]:
        """Weights of number and energy of what each bath gains."""
        if of in OF_ALL:  # heat that baths gain; over temperatures, entropy
            heat = jnp.stack([-self.mu, jnp.ones_like(self.mu)], axis=1)
            return heat if of == "work" else self.beta[:, None] * heat
        assert bath is not None
        pair = number_and_energy(of, self.mu[bath])
        return jnp.zeros((self.beta.shape[0], 2)).at[bath].set(pair)

    def slopes(self, weights: Sequence[Float[Array, "baths 2"]]) -> Float[Array, "n n"]:
        """The derivative of the generator by one counting field after the other."""
        total = jnp.zeros_like(self.generator)
        for gain, bath, n in zip(self.gains, self.bath, self.particles, strict=True):
            part = gain
            for weight in weights:
                number, energy = weight[bath]
                turned = part @ self.energy - self.energy @ part
                part = number * n * part + energy * turned
            total = total + part
        return total

    def tilted(
        self, u: Complex[Array, ""], weights: Float[Array, "baths 2"]
    ) -> Complex[Array, "n n"]:
        """L(u)."""
        total = self.generator + 0j
        for gain, bath, n in zip(self.gains, self.bath, self.particles, strict=True):
            number, energy = weights[bath]
            up = matfn(Exponential(u * energy), self.energy)
            down = matfn(Exponential(-u * energy), self.energy)
            total = total + jnp.exp(u * number * n) * (down @ gain @ up) - gain
        return total

    def stationary(self) -> Float[Array, " n"]:
        """The form of the steady state."""
        return stationary(self.generator, self.weight).x

    def activity(self) -> Float[Array, ""]:
        """Jumps a time, in the steady state."""
        return jnp.sum(self.weight @ self.gains @ self.stationary())

    def covariance(
        self, weights: Sequence[Float[Array, "baths 2"]]
    ) -> Float[Array, "counts counts"]:
        """Rates of growth of the covariances of counts, in the steady state."""
        steady, w = self.stationary(), self.weight
        first = [self.slopes([x]) for x in weights]
        means = [w @ (slope @ steady) for slope in first]
        corrections = [
            -_without_trace(self.generator, w, steady, slope @ steady - mean * steady)
            for slope, mean in zip(first, means, strict=True)
        ]
        rows = []
        for i, x in enumerate(weights):
            row = []
            for j, y in enumerate(weights):
                direct = w @ (self.slopes([x, y]) @ steady)
                row.append(direct + w @ (first[i] @ corrections[j] + first[j] @ corrections[i]))
            rows.append(jnp.stack(row))
        return jnp.stack(rows)

    def cumulants(self, weights: Float[Array, "baths 2"], order: int) -> Float[Array, " order"]:
        """Rates of growth of the first cumulants, in the steady state."""
        rates = eigenvalue_series(self.generator, self._series(weights, order), self.weight)
        return rates * factorials(order)

    def _series(self, weights: Float[Array, "baths 2"], order: int) -> list[Float[Array, "n n"]]:
        """Taylor coefficients of L(u), from the first to so many."""
        return [self.slopes([weights] * k) / math.factorial(k) for k in range(1, order + 1)]

    def passed(
        self, weights: Float[Array, "baths 2"], duration: Float[Array, ""], order: int
    ) -> list[Float[Array, "n n"]]:
        """Taylor coefficients of $e^{L(u)t}$, from the zeroth on: the first row of the exponential
        of a triangular block matrix (Najfeld, Havel 1995).
        """
        zero = jnp.zeros_like(self.generator)
        each = [self.generator, *self._series(weights, order)]
        places = range(order + 1)
        rows = [[each[j - i] if j >= i else zero for j in places] for i in places]
        grown = jax.scipy.linalg.expm(jnp.block(rows) * duration)
        size = self.weight.size
        return [grown[:size, k * size : (k + 1) * size] for k in places]


def factorials(order: int) -> Float[Array, " order"]:
    """1!, 2! and so on."""
    return jnp.array([float(math.factorial(k)) for k in range(1, order + 1)])


def eigenvalue_series(
    matrix: Float[Array, "n n"],
    series: Sequence[Float[Array, "n n"]],
    weight: Float[Array, " n"],
) -> Float[Array, " order"]:
    r"""Taylor coefficients of the eigenvalue of $A_0 + uA_1 + u^2A_2 + \dots$ that is zero at
    u = 0, where the left null vector of $A_0$ is w.
    """
    steady = stationary(matrix, weight).x
    vectors, values = [steady], []
    for n in range(1, len(series) + 1):
        terms = [series[k - 1] @ vectors[n - k] for k in range(1, n + 1)]
        values.append(weight @ sum(terms[1:], terms[0]))
        left = [
            series[k - 1] @ vectors[n - k] - values[k - 1] * vectors[n - k] for k in range(1, n + 1)
        ]
        vectors.append(-_without_trace(matrix, weight, steady, sum(left[1:], left[0])))
    return jnp.stack(values)


def _without_trace(
    matrix: Float[Array, "n n"],
    weight: Float[Array, " n"],
    steady: Float[Array, " n"],
    y: Float[Array, " n"],
) -> Float[Array, " n"]:
    """x with A x = y and w.x = 0, of a y with w.y = 0 and a matrix with w A = 0; `steady`: its null
    vector.
    """
    scale = jax.lax.stop_gradient(jnp.max(jnp.abs(matrix)))
    unit = weight / jnp.sum(weight**2)
    x = jnp.linalg.solve(matrix / scale + weight[:, None] * unit[None, :], y / scale)
    return x - steady * (weight @ x)


def jump_counts(
    method: AbstractIdealBathEquation, model: IdealSystem, *, with_start: bool = False
) -> JumpCounts:
    """The counts of an undriven model; what is known of it is looked at outside of the program."""
    plan = method.plan_steady(model)
    return counts_of(method, plan.decided, plan.model, with_start=with_start)


@eqx.filter_jit
def counts_of(
    method: AbstractIdealBathEquation,
    equation: AbstractEquation,
    model: IdealSystem,
    *,
    with_start: bool = False,
) -> JumpCounts:
    """The counts of an undriven model, by an equation that has been decided on."""
    generator = equation.generator(model)
    shape = generator.trace().shape

    def over_forms(function: Callable[[Array], Array]) -> Float[Array, "n n"]:
        def one(unit: Array) -> Array:
            return generator.pack(function(generator.unpack(unit.reshape(shape)))).ravel()

        return jax.vmap(one)(jnp.eye(generator.size)).T

    is_local = isinstance(method, Local | Lindblad)
    spectrum = bare_spectrum(model) if is_local else total_spectrum(model)
    energies, vectors = spectrum
    h = vectors @ (energies[:, None] * vectors.conj().T)
    gains, bath, particles = [], [], []
    if isinstance(method, Davies | Local | Redfield):
        for part in transitions(model, spectrum, lamb_shift=False):
            gains.append(over_forms(_gain(method, part, spectrum, generator)))
            bath.append(part.bath)
            particles.append(part.particles)
    for number, jump in jumps(model):
        operator, rate = jump.operator, jnp.asarray(jump.rate)
        gains.append(over_forms(lambda rho, a=operator, r=rate: r * (a @ rho @ a.conj().T)))
        bath.append(number)
        particles.append(jump.particles)
    start = generator.pack(model.start.system_state(model)).ravel() if with_start else None
    size = generator.size
    return JumpCounts(
        generator=generator.matrix(),
        gains=jnp.stack(gains) if gains else jnp.zeros((0, size, size)),
        energy=over_forms(lambda rho: 0.5 * (h @ rho + rho @ h)),
        weight=generator.trace().ravel(),
        beta=temperatures(model)[0],
        mu=temperatures(model)[1],
        width=jnp.max(energies) - jnp.min(energies),
        start=start,
        bath=tuple(bath),
        particles=tuple(particles),
        is_plain=isinstance(generator, SecularGenerator) and generator.has_no_coherences,
    )


def _gain(
    method: AbstractIdealBathEquation,
    part: Transitions,
    spectrum: Any,
    generator: AbstractGenerator,
) -> Callable[[Array], Array]:
    """What the jumps of a channel make of a state, without what they take."""
    energies, vectors = spectrum
    back = vectors.conj().T
    if isinstance(method, Redfield):
        weighted = vectors @ (0.5 * part.rate * part.operator) @ back
        operator = vectors @ part.operator @ back

        def redfield(rho: Array) -> Array:
            half = weighted @ rho @ operator.conj().T
            return half + half.conj().T

        return redfield
    if isinstance(generator, SecularGenerator) and generator.has_no_coherences:
        rates = part.rate * jnp.abs(part.operator) ** 2

        def populations(rho: Array) -> Array:
            p = jnp.diagonal(back @ rho @ vectors)
            return vectors @ jnp.diag(rates @ p) @ back

        return populations
    size = energies.shape[0]
    gain = SecularDissipator([part], spectrum).gain.reshape(size**2, size**2)

    def secular(rho: Array) -> Array:
        inside = back @ rho @ vectors
        return vectors @ (gain @ inside.ravel()).reshape(size, size) @ back

    return secular


def countable(model: Any, method: AbstractIdealBathEquation, of: str) -> IdealSystem:
    """The model; `ValueError` for one that is driven, or a jump by hand whose energy is counted and
    not known. Warns of an equation without a law.
    """
    system = as_ideal(model, type(method).__name__)
    if system.is_driven:
        named = ", ".join(system.protocols)
        raise ValueError(f"`model` must not be driven where jumps are counted, but is by {named}.")
    require_quanta(system, of, is_local=isinstance(method, Local | Lindblad))
    if isinstance(method, Redfield):
        warnings.warn(NO_LAW, stacklevel=4)
    return system


def require_quanta(model: IdealSystem, of: str, *, is_local: bool) -> None:
    """`ValueError` where a jump by hand does not move one energy, and energy is counted."""
    if of == "particles":
        return
    energies, vectors = bare_spectrum(model) if is_local else total_spectrum(model)
    h = vectors @ (energies[:, None] * vectors.conj().T)
    for _, jump in jumps(model):
        a = jump.operator
        turned = h @ a - a @ h
        size = jnp.sum(jnp.abs(a) ** 2)
        left = jnp.max(jnp.abs(turned - (jnp.sum(a.conj() * turned) / size) * a))
        scale = jnp.max(jnp.abs(h)) * jnp.max(jnp.abs(a))
        if not is_traced(left) and float(left) > 1e-9 * float(scale):
            raise ValueError(
                f"`of` must be particles where a Jump moves no single energy, but is {of!r}: "
                "its operator is no eigenoperator of the Hamiltonian."
            )
