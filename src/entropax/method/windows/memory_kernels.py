r"""The master equations' coefficients: transition kernels between windows.

With the correlation function $C(E,E';-\tau) = \gamma(E,E')\,h(\tau)\,e^{i(E-E')\tau}/V_{E'}$
(Riera Eq. B3), $h = (\delta/2\pi)\,\mathrm{sinc}^2(\delta\tau/2)$, and the memory integral

$$ H_t(\Omega) = \int_0^t h(\tau)\,e^{i\Omega\tau}\,d\tau, \qquad \Omega = E - E' - \omega, $$

second order in the coupling (Riera Eq. 14, B1) reads, in the system's energy basis,

$$ \dot\rho(E) = -i[H_S + \delta H(E), \rho(E)]
   + \sum_{E'} \mathrm{gain}(E,E')[\rho(E')] - \rho(E)\Lambda(E) - \Lambda(E)^\dagger\rho(E). $$
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import sici
from jaxtyping import Array, Complex, Float, Inexact

from entropax.method.windows.moment import Moment
from entropax.model.transition_frequencies import alike
from entropax.model.views import WindowSystem, window_links
from entropax.model.windows.bath import WindowBath
from entropax.model.windows.coupling_matrices import mean_product


def long_memory(offset: Float[Array, "*shape"]) -> Complex[Array, "*shape"]:
    r"""$H_\infty$ at $\xi = \Omega/\delta$ (Riera Eq. B12).

    The real part is half of $(1-|\xi|)_+$: a jump is shared linearly between neighbours.
    """
    x = jnp.sign(offset) * offset  # at resonance, a kink, with the mean of the slopes beside it
    imaginary = (_xlogx(1.0 + x) + _signed_xlogx(x - 1.0) - 2.0 * _xlogx(x)) / (2.0 * jnp.pi)
    real = 0.5 * jnp.maximum(1.0 - x, 0.0)
    return jnp.asarray(jax.lax.complex(real, jnp.sign(offset) * imaginary))


def finite_memory(
    offset: Float[Array, "*shape"], reduced_time: Float[Array, ""]
) -> Complex[Array, "*shape"]:
    r"""$H_t$ at $\xi = \Omega/\delta$ and $\delta t$; $2\,\mathrm{Re}\,H_t(0) = \zeta(t)$ (Eq. 44).

    With $X = \delta t/2$ and a over $2\xi, 2(\xi\pm1)$, weighted 1, -1/2, -1/2:
    real part $(-1/2\pi)\sum_a c_a[a\,\mathrm{Si}(aX) - (1-\cos aX)/X]$, imaginary part
    $(1/2\pi)\sum_a c_a[a(\mathrm{Ci}|aX| - \ln|a|) - \sin(aX)/X]$.
    """
    started = reduced_time > 0
    x = jnp.where(started, 0.5 * reduced_time, 1.0)
    a = 2.0 * jnp.stack([offset, offset + 1.0, offset - 1.0])
    weights = jnp.array([1.0, -0.5, -0.5])
    away = jnp.abs(a) > 1e-12
    safe = jnp.where(away, a, 1.0)
    sine, cosine = sici(jnp.abs(safe) * x)
    sine = jnp.sign(safe) * sine
    even = safe * sine - 2.0 * jnp.sin(0.5 * safe * x) ** 2 / x
    odd = safe * (cosine - jnp.log(jnp.abs(safe))) - jnp.sin(safe * x) / x
    # at a = 0 the values are 0, and this the slope of the odd one
    linear = a * (np.euler_gamma + jnp.log(x) - 1.0)
    real = -jnp.tensordot(weights, even * away, axes=1)
    imaginary = jnp.tensordot(weights, jnp.asarray(jnp.where(away, odd, linear)), axes=1)
    return jnp.where(started, jax.lax.complex(real, imaginary) / (2.0 * jnp.pi), 0.0)


def _xlogx(x: Array) -> Array:
    positive = x > 0
    return jnp.where(positive, x * jnp.log(jnp.where(positive, x, 1.0)), 0.0)


def _signed_xlogx(x: Array) -> Array:
    """x ln|x|."""
    away = x != 0
    return jnp.where(away, x * jnp.log(jnp.abs(jnp.where(away, x, 1.0))), 0.0)


class Transfer(NamedTuple):
    r"""What one pair of couplings $\alpha, \alpha'$ of one bath contributes, apart from strengths.

    `pair`: the numbers of the couplings; `rate[E, F]` $= (2\pi/\delta)\,\langle B'^*B\rangle\,V_E$,
    from F into E.
    """

    bath: int
    pair: tuple[int, int]
    rate: Inexact[Array, "w w"]
    first: Inexact[Array, "d d"]
    second: Inexact[Array, "d d"]


class Memories(NamedTuple):
    r"""The memory integrals of the pair's transitions, times strengths: of the `first` coupling's
    past, $\lambda_{\alpha'}(t)\,G_\alpha$, and of the `second`'s, $\lambda_\alpha(t)\,G_{\alpha'}$.
    """

    first: Complex[Array, "d d w w"]
    second: Complex[Array, "d d w w"]


def transfers(model: WindowSystem) -> list[Transfer]:
    """All pairs of couplings that share a bath (Riera Eq. 75)."""
    pairs = []
    links = window_links(model)
    operators = [model.in_eigenbasis(link.operator) for link in links]
    for i, first in enumerate(links):
        for j, second in enumerate(links):
            if first.number != second.number:
                continue
            bath = first.bath
            product = mean_product(first.matrix, second.matrix, bath, same=i == j)
            rate = 2.0 * jnp.pi / bath.width * product * bath.volume[:, None]
            pairs.append(Transfer(first.number, (i, j), rate, operators[i], operators[j]))
    return pairs


def offsets(bath: WindowBath, energies: Float[Array, " d"]) -> Float[Array, "d d w w"]:
    r"""$\xi_{kq}(E,F) = [E - F - (\epsilon_q - \epsilon_k)]/\delta$: 0 where a jump is resonant."""
    gain = bath.centers[:, None] - bath.centers[None, :]
    loss = energies[None, :] - energies[:, None]
    return (gain - loss[:, :, None, None]) / bath.width


def population_kernel(
    transfer: Transfer, memories: Memories
) -> tuple[Float[Array, "d d w w"], Float[Array, "d w"]]:
    """Gain [k, q, E, F] and loss [q, F] of populations alone (Riera Eq. 30)."""
    weight = (transfer.first * transfer.second.conj())[:, :, None, None] * transfer.rate
    gain = (weight * (memories.second + memories.first.conj())).real
    return gain, jnp.sum(gain, axis=(0, 2))


def state_kernel(
    transfer: Transfer,
    memories: Memories,
    pairs: Float[Array, "d d d d"],
) -> tuple[Complex[Array, "d d d d w w"], Complex[Array, "d d w"]]:
    r"""Gain [k, k', q, q', E, F] and loss operator $\Lambda$ [q', q, F].

    `pairs` [k, q, k', q']: which pairs of transitions are kept.
    """
    s, r = transfer.first, transfer.second
    kept = s[:, :, None, None] * r.conj()[None, None, :, :] * pairs
    kept = jnp.transpose(kept, (0, 2, 1, 3))
    window = memories.second[None, :, None, :] + memories.first.conj()[:, None, :, None]
    gain = kept[..., None, None] * transfer.rate * window
    same_target = jnp.einsum("kqkp->kqp", pairs)
    operators = jnp.einsum("kq,kp,kqp->kpq", s, r.conj(), same_target)
    loss = jnp.einsum("kpq,kpEF,EF->pqF", operators, memories.second, transfer.rate)
    return gain, loss


def first_order_shift(
    model: WindowSystem, number: int, moment: Moment, *, secular: bool
) -> Inexact[Array, "d d w"]:
    r"""$\delta H(E) = \sum_\alpha \lambda_\alpha \langle B_\alpha\rangle_E S_\alpha$ (Eq. 8),
    between the states of the moment.
    """
    kept = alike(moment.energies) if secular else jnp.ones((model.levels, model.levels))
    bath = model.baths[number]
    total = jnp.zeros((model.levels, model.levels, bath.windows))
    for link in window_links(model):
        if link.number == number:
            operator = moment.enter(model.in_eigenbasis(link.operator)) * kept
            average = link.matrix.average(bath)
            total = total + link.strength * operator[:, :, None] * average
    return total
