r"""Arrowhead matrices: a diagonal plus one border row and column, as of a level in a star of modes.

$$ h = \begin{pmatrix} \epsilon_d & t^T \\ t & \mathrm{diag}(\epsilon) \end{pmatrix} $$

Everything needed of $e^{-iht}$ follows from the level's spectral measure
$\sum_a c_a \delta(\lambda-\lambda_a)$, $c_a = |\langle d|a\rangle|^2$, and from the two functions

$$ y(\epsilon) = \sum_a c_a f[\lambda_a, \epsilon], \qquad
   z(\epsilon) = y'(\epsilon) = \sum_a c_a f[\lambda_a, \epsilon, \epsilon], \qquad
   f(x) = e^{-ixt}, $$

with divided differences f[..]: $\langle d|e^{-iht}|d\rangle = \sum_a c_a f(\lambda_a)$,
$\langle d|e^{-iht}|j\rangle = t_j y(\epsilon_j)$ and
$\langle j|e^{-iht}|k\rangle = \delta_{jk} f(\epsilon_j) + t_j t_k\, y[\epsilon_j, \epsilon_k]$.
No step costs more than O(n^2), and none divides by a coupling. On a CPU sums over nodes and
energies run in blocks: values take O(n) memory, derivatives O(n^2).
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from entropax._precision import EPS
from entropax.linalg.guards import forbid_derivative
from entropax.linalg.masked import masked_inverse
from entropax.linalg.secular import merge_poles, secular_roots
from entropax.linalg.sums import sum_over_rows

_SERIES_TERMS = 18

_ONCE = (
    "arrowhead spectra are differentiable once: for second derivatives use the dense "
    "`FermionNetwork.from_junction(junction)`"
)
_NO_EIGENVALUES = "arrowhead_eigenvalues has no derivative: use `modes` of the dense matrix"


class _Solved(NamedTuple):
    """The solution of one eigenproblem; constants, as far as derivatives are concerned.

    Nodes are kept as distances from a pole nearby, which have full relative accuracy.
    """

    centre: Float[Array, " m"]  # a pole
    offset: Float[Array, " m"]  # of the node from it
    valid: Bool[Array, " m"]
    poles: Float[Array, " n"]  # energies, those equal to rounding made equal
    bright: Float[Array, " n"]  # sum of t_k^2 over the modes at the energy of mode j

    @property
    def coupled(self) -> Bool[Array, " n"]:
        return self.bright > 0

    def gaps(self) -> Float[Array, "n m"]:
        """lambda_a - epsilon_j, to full relative accuracy."""
        return _gaps(self.centre[None, :], self.offset[None, :], self.poles[:, None])

    def inverse(self) -> Float[Array, "n m"]:
        """1/(lambda_a - epsilon_j), 0 where one of the two does not couple."""
        return masked_inverse(self.gaps(), self.coupled[:, None] & self.valid[None, :])


def _gaps(centre: Array, offset: Array, poles: Array) -> Array:
    return (centre - poles) + offset


class ArrowheadSpectrum(NamedTuple):
    """Spectral measure of the level of an arrowhead matrix.

    `nodes` and `weights` have one entry more than there are modes; nodes of modes that do not
    couple (no coupling, or the dark combinations of modes of equal energy) have weight 0.
    Derivatives of `nodes` and `weights` are right for every sum `weights @ phi(nodes)`.
    """

    nodes: Float[Array, " m"]
    weights: Float[Array, " m"]
    energies: Float[Array, " n"]
    solved: _Solved

    @property
    def poles(self) -> Float[Array, " n"]:
        """The mode energies with those equal to rounding made equal."""
        return self.solved.poles


def arrowhead_spectrum(
    level: Float[Array, ""],
    energies: Float[Array, " n"],
    couplings: Float[Array, " n"],
    *,
    horizon: Float[Array, ""] | float = 1.0,
) -> ArrowheadSpectrum:
    """Spectral measure of the level: every eigenvalue and squared level amplitude, in O(n^2).

    Zero couplings and equal energies are deflated, so nothing divides by a vanishing gap.
    Differentiable once, forward and reverse, in all arguments; second derivatives raise.

    `horizon`: the longest time that the spectrum serves. Derivatives treat nodes closer than
    1e-3/horizon (and 1e-9 of the spectrum) as one, to a relative error of 1e-7; of those further
    apart they lose eps/gap.
    """
    fixed = jax.lax.stop_gradient((level, energies, couplings))
    nodes, weights, solved = _solve(*fixed)
    horizon = jax.lax.stop_gradient(jnp.asarray(horizon, float))
    nodes, weights = _measure(level, energies, couplings, nodes, weights, solved, horizon)
    return ArrowheadSpectrum(nodes, weights, energies, solved)


def arrowhead_eigenvalues(
    level: Float[Array, ""], energies: Float[Array, " n"], couplings: Float[Array, " n"]
) -> Float[Array, " m"]:
    """All n + 1 eigenvalues of the arrowhead matrix, ascending, in O(n^2); a derivative raises."""
    level, energies, couplings = forbid_derivative((level, energies, couplings), _NO_EIGENVALUES)
    merged = _merge(energies, couplings)
    roots = secular_roots(merged, slope=1.0, shift=level)
    coupled = jnp.where(roots.valid, merged.position[roots.origin] + roots.offset, jnp.inf)
    # a mode is dark unless it is the one of its slot that stands for the bright combination
    n = energies.shape[0]
    representative = jnp.full(n, n).at[merged.slot].min(jnp.arange(n))[merged.slot]
    bright = (representative == jnp.arange(n)) & (merged.slot < merged.coupled)
    dark = jnp.where(bright, jnp.inf, merged.position[merged.slot])
    return jnp.sort(jnp.concatenate([coupled, dark]))[: n + 1]


def _merge(energies: Array, couplings: Array):
    tolerance = 8 * EPS * jnp.max(jnp.abs(energies), initial=0.0)
    # squares of weaker ones underflow, and move no phase in any time that float64 can hold
    scale = jnp.max(jnp.abs(jnp.concatenate([energies, couplings])))
    strong = jnp.abs(couplings) > 1e-60 * scale
    return merge_poles(energies, jnp.where(strong, couplings, 0.0) ** 2, tolerance)


def _solve(level: Array, energies: Array, couplings: Array):
    merged = _merge(energies, couplings)
    roots = secular_roots(merged, slope=1.0, shift=level)
    n = energies.shape[0]
    position, count, slot = merged.position, merged.coupled, merged.slot
    active = jnp.arange(n) < count
    centre, offset = position[roots.origin], roots.offset
    loewner = _loewner_couplings(position, centre, offset, active, count)
    squared = jnp.where(active, loewner, 0.0)

    def terms(pole: Array, squared: Array) -> Array:
        gaps = _gaps(centre, offset, pole[:, None])
        inverse = masked_inverse(gaps, (squared[:, None] > 0) & roots.valid)
        return jnp.sum(squared[:, None] * inverse**2, axis=0)

    total = 1.0 + sum_over_rows(terms, position, squared)
    weights = jnp.where(roots.valid, 1.0 / total, 0.0)
    nodes = jnp.where(roots.valid, centre + offset, 0.0)
    solved = _Solved(centre, offset, roots.valid, position[slot], squared[slot])
    return nodes, weights, solved


def _loewner_couplings(
    position: Array, centre: Array, offset: Array, active: Array, count: Array
) -> Array:
    """The squared couplings whose exact eigenvalues are the computed ones (Gu and Eisenstat 1994).

    Eigenvectors made from them are orthogonal to rounding. b_k^2 is the product of all
    lambda_a - p_k over all p_j - p_k, taken as ratios in (0, 1) of interlacing neighbours.
    """
    j = jnp.arange(position.shape[0])

    def squared(mode: tuple[Array, Array]) -> Array:
        k, pole = mode
        # pole j below p_k is paired with root j+1, pole j above with root j
        below, above = _gaps(centre[1:], offset[1:], pole), _gaps(centre[:-1], offset[:-1], pole)
        differ = (j != k) & active & active[k]
        spacing = jnp.where(differ, position - pole, 1.0)
        ratios = jnp.where(differ, jnp.where(j < k, below, above) / spacing, 1.0)
        outer = -_gaps(centre[0], offset[0], pole) * _gaps(centre[count], offset[count], pole)
        return outer * jnp.prod(ratios)

    return jax.lax.map(squared, (j, position))


@jax.custom_jvp
def _measure(level, energies, couplings, nodes, weights, solved, horizon):
    del level, energies, couplings, solved, horizon
    return nodes, weights


@_measure.defjvp
def _measure_jvp(primals, tangents):
    level, energies, couplings, nodes, weights, solved, horizon = primals
    dlevel, denergies, dcouplings, *_ = tangents
    fixed = (level, energies, couplings, nodes, weights, horizon)
    _, _, couplings, nodes, weights, horizon = forbid_derivative(fixed, _ONCE)
    # V^T dh V between eigenvectors a and b is d_a d_b M_ab, with d_a the level amplitude and
    # M_ab = dlevel + r_a + r_b + R_ab; a sum c @ phi(nodes) changes by c_a c_b M_ab phi[a, b].
    live = weights > 0
    inverse = solved.inverse()
    r = (couplings * dcouplings) @ inverse
    q = (couplings**2 * denergies) @ inverse
    diagonal = (couplings**2 * denergies) @ inverse**2

    distance = nodes[:, None] - nodes[None, :]
    scale = jnp.max(jnp.abs(nodes), initial=0.0)
    close = jnp.minimum(1e-9 * scale, 1e-3 / jnp.maximum(horizon, 1e-300))
    pair = live[:, None] & live[None, :] & ~jnp.eye(nodes.shape[0], dtype=bool)
    near = pair & (jnp.abs(distance) < close)
    far = pair & ~near
    spread = masked_inverse(distance, far)
    mixing = dlevel + r[:, None] + r[None, :] - (q[:, None] - q[None, :]) * spread
    dweights = 2.0 * weights * jnp.sum(weights[None, :] * mixing * spread, axis=1)
    dnodes = weights * (dlevel + 2.0 * r + diagonal)
    # Nodes that nearly meet: phi[a, b] is the mean slope, so the pair acts through its nodes.
    # Such a pair straddles one pole and its R_ab comes from the table directly.
    beside = jnp.concatenate([inverse[:, 1:], inverse[:, :1]], axis=1)
    cross = (couplings**2 * denergies) @ (inverse * beside)
    upper = jnp.diagonal(near, offset=1)
    shared = dlevel + r[:-1] + r[1:] + cross[:-1]
    dnodes = dnodes.at[:-1].add(jnp.where(upper, weights[1:] * shared, 0.0))
    dnodes = dnodes.at[1:].add(jnp.where(upper, weights[:-1] * shared, 0.0))
    return (nodes, weights), (jnp.where(live, dnodes, 0.0), jnp.where(live, dweights, 0.0))


class LevelResponse(NamedTuple):
    """`level` = <d|e^{-iht}|d>, and the functions y and z of the module's head at each mode."""

    level: Complex[Array, ""]
    y: Complex[Array, " n"]
    z: Complex[Array, " n"]


def divided_differences(
    y: Complex[Array, " n"],
    z: Complex[Array, " n"],
    energies: Float[Array, " n"],
    poles: Float[Array, " n"],
) -> Complex[Array, "n n"]:
    r"""$y[\epsilon_j, \epsilon_k]$ of a y with slopes z; `poles`: equal where energies are one."""
    same = poles[:, None] == poles[None, :]
    inverse = masked_inverse(energies[:, None] - energies[None, :], ~same)
    slopes = 0.5 * (z[:, None] + z[None, :])
    return jnp.asarray(jnp.where(same, slopes, (y[:, None] - y[None, :]) * inverse))


class ArrowheadExponential(eqx.Module):
    r"""$U = e^{-iht}$ of a real arrowhead matrix, symmetric, by O(n) numbers: `level`, y and z of
    the module's head, and the modes' own phases `free`.
    """

    level: Complex[Array, ""]
    y: Complex[Array, " n"]
    z: Complex[Array, " n"]
    free: Complex[Array, " n"]
    couplings: Float[Array, " n"]
    energies: Float[Array, " n"]
    poles: Float[Array, " n"]

    @property
    def column(self) -> Complex[Array, " n+1"]:
        """The level's column, level first."""
        return jnp.concatenate([self.level[None], self.couplings * self.y])

    def differences(self) -> Complex[Array, "n n"]:
        r"""$y[\epsilon_j, \epsilon_k]$."""
        return divided_differences(self.y, self.z, self.energies, self.poles)

    def matrix(self) -> Complex[Array, "n+1 n+1"]:
        """The matrix itself."""
        t, column = self.couplings, self.column
        modes = t[:, None] * self.differences() * t[None, :] + jnp.diag(self.free)
        return jnp.block([[column[:1, None], column[None, 1:]], [column[1:, None], modes]])


def level_response(spectrum: ArrowheadSpectrum, time: Float[Array, ""]) -> LevelResponse:
    """The parts that $e^{-iht}$ of an arrowhead matrix is made of (the module's head), in O(n^2).

    Absolute errors of $t_j y_j$ and $t_j^2 z_j$ are at rounding level at every time.
    Differentiable once, in the matrix and in time.
    """
    return LevelResponse(
        *_response(spectrum.nodes, spectrum.weights, spectrum.energies, time, spectrum.solved)
    )


def _phase(x: Array, time: Array) -> Array:
    return jax.lax.complex(jnp.cos(x * time), -jnp.sin(x * time))


@jax.custom_jvp
def _response(nodes, weights, energies, time, solved):
    # On its energy shell a coupled mode has sum_a c_a/(lambda_a - e) = 0 and
    # sum_a c_a/(lambda_a - e)^2 = 1/bright, so the divided differences need no subtraction.
    phases = _phase(nodes, time)
    level = weights @ phases

    def terms(present, centre, offset, real, imaginary):
        gaps = _gaps(centre[:, None], offset[:, None], solved.poles)
        inverse = masked_inverse(gaps, solved.coupled & (present[:, None] > 0))
        once = real[:, None] * inverse, imaginary[:, None] * inverse
        return *(jnp.sum(x, 0) for x in once), *(jnp.sum(x * inverse, 0) for x in once)

    seen = weights * phases
    present = solved.valid.astype(float)
    rows = present, solved.centre, solved.offset, seen.real, seen.imag
    once_r, once_i, twice_r, twice_i = sum_over_rows(terms, *rows)
    mode_terms = _phase(energies, time) * masked_inverse(solved.bright, solved.coupled)
    z = jnp.where(solved.coupled, jax.lax.complex(twice_r, twice_i) - mode_terms, 0.0)
    return level, jax.lax.complex(once_r, once_i), z


@_response.defjvp
def _response_jvp(primals, tangents):
    dnodes, dweights, denergies, dtime, _ = tangents
    *varied, solved = primals
    nodes, weights, energies, time = forbid_derivative(varied, _ONCE)
    on_shell = _response(nodes, weights, energies, time, solved)
    phases, mode_phases = _phase(nodes, time), _phase(energies, time)[:, None]
    table = _divided_exponentials(solved.gaps(), phases[None, :], mode_phases, time)

    level = on_shell[0]
    # the shell form divides by couplings: where these are weaker than 1/time, sum directly
    weak = jnp.sqrt(solved.bright) * jnp.abs(time) < 1.0
    y = jax.lax.select(weak, table.once @ weights, on_shell[1])
    z = jax.lax.select(weak, table.twice @ weights, on_shell[2])

    moved = weights * dnodes
    dlevel = dweights @ phases - 1j * time * (moved @ phases)
    dlevel = dlevel - 1j * dtime * ((weights * nodes) @ phases)
    dy = table.once @ dweights + table.node_once @ moved + z * denergies
    dy = dy - 1j * dtime * (level + energies * y)
    dz = table.twice @ dweights + table.node_twice @ moved
    dz = dz + 2.0 * (table.thrice @ weights) * denergies - 1j * dtime * (y + energies * z)
    return (level, y, z), (dlevel, dy, dz)


class _DividedExponentials(NamedTuple):
    """Divided differences of f(x) = e^{-ixt} between nodes l and energies e."""

    once: Complex[Array, "n m"]  # f[l, e]
    twice: Complex[Array, "n m"]  # f[l, e, e]
    thrice: Complex[Array, "n m"]  # f[l, e, e, e]
    node_once: Complex[Array, "n m"]  # f[l, l, e]
    node_twice: Complex[Array, "n m"]  # f[l, l, e, e]


def _divided_exponentials(
    gaps: Array, at_node: Array, at_energy: Array, time: Array
) -> _DividedExponentials:
    # with x = -i (l - e) t all are f(e) (-it)^k times an entire function of x, which is a power
    # series for |x| < 1 and a chain of differences beyond
    angle = gaps * time
    small = jnp.abs(angle) < 1.0
    x = -1j * jnp.where(small, angle, 0.0)
    far = -1j * jnp.where(small, 1.0, angle)
    exp_far = at_node * at_energy.conj()

    phi3, psi3 = jnp.zeros_like(x), jnp.zeros_like(x)
    factorial = 1.0
    factorials = [factorial := factorial * k for k in range(1, _SERIES_TERMS + 4)]
    for k in reversed(range(_SERIES_TERMS)):
        # phi3 = sum x^k / (k+3)!, psi3 = sum (k+1) x^k / (k+3)!
        phi3 = phi3 * x + 1.0 / factorials[k + 2]
        psi3 = psi3 * x + (k + 1.0) / factorials[k + 2]
    phi2 = 0.5 + x * phi3
    psi2 = phi2 + x * psi3

    far1 = (exp_far - 1.0) / far
    far2, far_psi2 = (far1 - 1.0) / far, (exp_far - far1) / far
    far3, far_psi3 = (far2 - 0.5) / far, (far_psi2 - far2) / far

    unit = -1j * time
    return _DividedExponentials(
        once=at_energy * unit * jnp.where(small, 1.0 + x * phi2, far1),
        twice=at_energy * unit**2 * jnp.where(small, phi2, far2),
        thrice=at_energy * unit**3 * jnp.where(small, phi3, far3),
        node_once=at_energy * unit**2 * jnp.where(small, psi2, far_psi2),
        node_twice=at_energy * unit**3 * jnp.where(small, psi3, far_psi3),
    )
