r"""Counting fields on the jumps of a small system between ideal baths (full counting statistics).

A jump hands the energy $\omega$ and n particles to its bath. With the gain $G_c$ of each channel
and $h\rho = \frac12\{H, \rho\}$, jumps weighted with $e^{u(e\omega + \nu n)}$ are

$$ L(u) = L + \sum_c \big(e^{u\nu n}\, e^{-ueh} G_c\, e^{ueh} - G_c\big), $$

since each gain takes H down by $\omega$. Its dominant eigenvalue is the generating function of
steady cumulants, found order by order from $L\pi = 0$ (Flindt et al. 2008).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from entropax._checks import is_traced, whole
from entropax.linalg import Exponential, matfn, stationary
from entropax.method import Davies, Lindblad, Local, Redfield
from entropax.method.ideal.dissipators import SecularDissipator
from entropax.method.ideal.generators import AbstractGenerator, SecularGenerator
from entropax.method.ideal.master_equation import AbstractIdealBathEquation, IdealPlan
from entropax.method.ideal.rates import Transitions, transitions
from entropax.model.transition_frequencies import bare_spectrum, total_spectrum
from entropax.model.views import IdealSystem, as_ideal, jumps, temperatures

KINDS = ("particles", "energy", "heat", "entropy_production")


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
        baths = range(self.beta.shape[0])
        if of == "entropy_production":
            return jnp.stack([jnp.stack([-self.beta[b] * self.mu[b], self.beta[b]]) for b in baths])
        number = {"particles": 1.0, "energy": 0.0, "heat": -self.mu[bath or 0]}[of]
        energy = 0.0 if of == "particles" else 1.0
        pair = jnp.stack([jnp.asarray(number, float), jnp.asarray(energy, float)])
        return jnp.zeros((self.beta.shape[0], 2)).at[bath or 0].set(pair)

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
            -self._inverse(slope @ steady - mean * steady)
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
        w, vectors = self.weight, [self.stationary()]
        slopes = [self.slopes([weights] * k) for k in range(1, order + 1)]
        rates: list[Array] = []
        for n in range(1, order + 1):
            terms = [math.comb(n, k) * (slopes[k - 1] @ vectors[n - k]) for k in range(1, n + 1)]
            rates.append(w @ sum(terms[1:], terms[0]))
            shifted = [
                math.comb(n, k) * (slopes[k - 1] @ vectors[n - k] - rates[k - 1] * vectors[n - k])
                for k in range(1, n + 1)
            ]
            vectors.append(-self._inverse(sum(shifted[1:], shifted[0])))
        return jnp.stack(rates)

    def _inverse(self, y: Float[Array, " n"]) -> Float[Array, " n"]:
        """x with L x = y and no trace, of a y without trace."""
        scale = jax.lax.stop_gradient(jnp.max(jnp.abs(self.generator)))
        unit = self.weight / jnp.sum(self.weight**2)
        matrix = self.generator / scale + self.weight[:, None] * unit[None, :]
        x = jnp.linalg.solve(matrix, y / scale)
        return x - self.stationary() * (self.weight @ x)


def jump_counts(
    method: AbstractIdealBathEquation, model: IdealSystem, *, with_start: bool = False
) -> JumpCounts:
    """The counts of an undriven model; what is known of it is looked at outside of the program."""
    return _jump_counts(method, method.plan_steady(model), with_start)


@eqx.filter_jit
def _jump_counts(
    method: AbstractIdealBathEquation, plan: IdealPlan, with_start: bool
) -> JumpCounts:
    model, generator = plan.model, plan.decided.generator(plan.model)
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


def require_bath(bath: object, baths: int) -> int:
    """The number of a bath; `ValueError` for anything else."""
    number = whole(bath)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < baths:
        raise ValueError(f"`bath` must be a number from 0 to {baths - 1}, but is {bath!r}.")
    return number


def undriven_ideal(model: Any, method: AbstractIdealBathEquation) -> IdealSystem:
    """The model; `ValueError` where jumps are not counted: driven ones, and jumps by hand whose
    energy is not known.
    """
    system = as_ideal(model, type(method).__name__)
    if system.is_driven:
        named = ", ".join(system.protocols)
        raise ValueError(f"`model` must not be driven where jumps are counted, but is by {named}.")
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
