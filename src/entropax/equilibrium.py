r"""Equilibrium states, and the inverse problems (energy, number) -> (beta, mu), energy -> beta.

Grand canonical fermions:

Given $E$ and $N$, the natural parameters $\beta$ and $\alpha=\beta\mu$ minimise the convex dual

$$ \Phi(\beta,\alpha) = \sum_k \ln(1 + e^{\alpha-\beta\epsilon_k}) + \beta E - \alpha N, $$

whose minimum is the entropy of the matching grand canonical state (Usui Eqs. 5 and 6).
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Array, Bool, Float, Inexact

from entropax.entropy import binary_entropy, von_neumann
from entropax.linalg import Exponential, eigenvalues, matfn, modes, pairwise_sum

_EPS = 2.0**-52
_MAX_STEPS = 300


def log_odds(
    energies: Float[Array, " k"], beta: Float[Array, ""], mu: Float[Array, ""]
) -> Float[Array, " k"]:
    r"""$x_k = \beta(\epsilon_k-\mu) = \ln[(1-n_k)/n_k]$; 0 at $\mu$ for any beta."""
    distance = energies - mu
    cold = jnp.isinf(beta)
    step = jnp.where(distance == 0, 0.0, jnp.where(distance > 0, beta, -beta))
    return jnp.where(cold, jax.lax.stop_gradient(step), jnp.where(cold, 1.0, beta) * distance)


def fermi(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """f(x) = 1/(e^x + 1), to full relative accuracy in both tails."""
    return jax.nn.sigmoid(-x)


def gibbs_state(
    hamiltonian: Inexact[Array, "d d"], beta: Float[Array, ""]
) -> Inexact[Array, "d d"]:
    r"""$e^{-\beta H}/Z$ for finite beta; derivatives are exact at degenerate energies too."""
    energies = eigenvalues(hamiltonian)
    shift = jnp.where(beta > 0, energies[0], energies[-1])  # no weight overflows
    weight = matfn(Exponential(-beta), hamiltonian - shift * jnp.eye(hamiltonian.shape[0]))
    return weight / jnp.trace(weight).real


def free_energy(
    state: Inexact[Array, "d d"], hamiltonian: Inexact[Array, "d d"], beta: Float[Array, ""]
) -> Float[Array, ""]:
    r"""$F = \mathrm{tr}\rho H - S[\rho]/\beta$, for a temperature that need not be the state's.

    $S(\rho\|\rho_\beta) = \beta\,(F(\rho) - F(\rho_\beta))$ with $\rho_\beta = e^{-\beta H}/Z$.
    """
    return mean(hamiltonian, state) - per_beta(von_neumann(state), beta)


def per_beta(entropy: Float[Array, "*shape"], beta: Float[Array, "*shape"]) -> Array:
    """S/beta, 0 where S is 0 at infinite temperature too."""
    open_ended = (entropy == 0) & (beta == 0)
    return entropy / jnp.where(open_ended, 1.0, beta)


def ergotropy(state: Inexact[Array, "d d"], hamiltonian: Inexact[Array, "d d"]) -> Float[Array, ""]:
    r"""The most work that unitaries can draw from a state (Allahverdyan et al. 2004).

    $\mathrm{tr}\rho H - \sum_k r_k \epsilon_k$ with populations r descending and energies
    ascending: $\rho$ less its passive state. Where eigenvalues meet, a derivative is that of the
    eigenvectors found there, one of several.
    """
    populations, energies = modes(state)[0], modes(hamiltonian)[0]
    return mean(hamiltonian, state) - populations[::-1] @ energies


def mean(operator: Inexact[Array, "d d"], state: Inexact[Array, "d d"]) -> Float[Array, ""]:
    r"""$\mathrm{Re}\,\mathrm{tr}\,A\rho$."""
    return jnp.sum(operator * state.T).real


class Equilibrium(eqx.Module):
    r"""A grand canonical state of independent fermionic modes.

    `log_odds` $x_k = \beta\epsilon_k-\alpha$ and `occupations` $f(x_k)$ say what the state is,
    `entropy` its entropy. `beta` is +inf (-inf) where the energy is the lowest (highest) that the
    number allows, and NaN where no value is singled out: modes all at one energy, an empty or a
    filled bath. `mu` is NaN with it. A state matched with beta below rounding has beta = 0 and mu
    NaN: only $\alpha=\beta\mu$ is left of it.

    `determined`: beta and mu are finite numbers. `converged`: the state has the energy and number
    asked for (False where none has, or for NaN input).
    """

    beta: Float[Array, ""]
    mu: Float[Array, ""]
    log_odds: Float[Array, " k"]
    occupations: Float[Array, " k"]
    entropy: Float[Array, ""]
    determined: Bool[Array, ""]
    converged: Bool[Array, ""]


def thermal(
    energies: Float[Array, " k"], beta: Float[Array, ""], mu: Float[Array, ""]
) -> Equilibrium:
    """The grand canonical state with given inverse temperature and chemical potential."""
    x = log_odds(energies, beta, mu)
    n = fermi(x)
    sound = ~(jnp.isnan(beta) | jnp.isnan(mu))
    return Equilibrium(beta, mu, x, n, jnp.sum(binary_entropy(n)), jnp.isfinite(beta), sound)


@jax.jit
def match(
    energies: Float[Array, " k"], energy: Float[Array, ""], number: Float[Array, ""]
) -> Equilibrium:
    r"""The grand canonical state of modes `energies` with mean `energy` and `number`.

    Newton's method on the dual, with steps halved until they descend, converges from anywhere.
    Derivatives follow from the implicit function theorem; the entropy's are
    $\beta\,dE - \alpha\,dN - \beta\sum_k n_k\,d\epsilon_k$. At the edges, where beta is
    infinite or undetermined, occupations and entropy are those of the limit and constant.

    Cost: O(k) a step, 5 to 60 steps.
    """
    k = energies.shape[0]
    centre = jax.lax.stop_gradient(jnp.mean(energies))
    spread = jax.lax.stop_gradient(jnp.max(jnp.abs(energies - centre)))
    # modes at one energy have a mean that differs from it by rounding
    spread = jnp.where(spread > 8 * _EPS * jnp.max(jnp.abs(energies)), spread, 0.0)
    wide = spread > 0
    scale = jnp.where(wide, spread, 1.0)
    e = jnp.where(wide, (energies - centre) / scale, 0.0)
    target = (energy - centre * number) / scale

    edge = _edge(*jax.lax.stop_gradient((e, target, number)))
    b, a = _minimise(e, target, number, edge.reached)
    summed = number + (jnp.abs(energy) + jnp.abs(centre) * number) / scale
    level = _rounding_level(e, b, a, summed)
    tilted = jnp.abs(b) > level
    b = jnp.where(tilted, b, b - jax.lax.stop_gradient(b))  # zero, with its derivatives
    x = jnp.where(edge.reached, edge.log_odds, b * e - a)
    n = jnp.where(edge.reached, edge.occupations, fermi(x))
    # the dual, as the state's entropy plus a small correction for what rounding left unmatched
    unmatched = b * (target - pairwise_sum(n * e)) - a * (number - pairwise_sum(n))
    entropy = jnp.sum(binary_entropy(n)) + jnp.where(edge.reached, 0.0, unmatched)

    free = ~edge.reached & wide
    beta = jnp.where(free, b / scale, edge.beta)
    determined = free & tilted
    mu = centre + scale * jnp.where(determined, a / jnp.where(tilted, b, 1.0), edge.fermi_level)
    miss = jnp.maximum(jnp.abs(n @ e - target), jnp.abs(jnp.sum(n) - number))
    sound = jnp.isfinite(summed) & (miss <= 500 * _EPS * (k + summed))
    return Equilibrium(beta, mu, x, n, entropy, determined, sound)


def _rounding_level(e: Array, b: Array, a: Array, summed: Array) -> Array:
    """What rounding of energy and number, sums of total size `summed`, may do to b."""
    n = fermi(b * e - a)
    return 16 * _EPS * summed / jnp.maximum(_spread(e, n)[1], jnp.finfo(jnp.float64).tiny)


class _Edge(NamedTuple):
    """The limit state where no finite beta matches, and NaN where it leaves beta or mu open."""

    reached: Bool[Array, ""]
    beta: Float[Array, ""]
    fermi_level: Float[Array, ""]
    log_odds: Float[Array, " k"]
    occupations: Float[Array, " k"]


def _edge(e: Array, energy: Array, number: Array) -> _Edge:
    k = e.shape[0]
    room = 16 * _EPS * k
    extreme = (number <= room) | (number >= k - room)
    lowest, highest = _fill_upwards(e, number), _fill_upwards(-e, number)
    wide = jnp.max(e) > jnp.min(e)
    ground = wide & ~extreme & (energy <= lowest @ e + room)
    top = wide & ~extreme & (energy >= highest @ e - room)
    n = jnp.where(top, highest, lowest)
    filled, empty = n > room, n < 1 - room
    partial = filled & empty
    odds = jnp.where(partial, jnp.log1p(-n) - jnp.log(jnp.where(partial, n, 0.5)), 0.0)
    x = jnp.where(partial, odds, jnp.where(filled, -jnp.inf, jnp.inf))
    beta = jnp.where(ground, jnp.inf, jnp.where(top, -jnp.inf, jnp.nan))
    # the Fermi level: the partly filled energy, or midway between filled and empty ones
    direction = jnp.where(top, -1.0, 1.0)
    last_filled = jnp.max(jnp.where(filled, direction * e, -jnp.inf))
    first_empty = jnp.min(jnp.where(empty, direction * e, jnp.inf))
    level = jnp.where(ground | top, 0.5 * direction * (last_filled + first_empty), jnp.nan)
    return _Edge(extreme | ground | top, beta, level, x, n)


def _fill_upwards(e: Array, number: Array) -> Array:
    """Occupations with the lowest energies filled; modes of equal energy share equally."""
    ordered = jnp.sort(e)
    below = jnp.searchsorted(ordered, e, side="left")
    upto = jnp.searchsorted(ordered, e, side="right")
    return jnp.clip((number - below) / (upto - below), 0.0, 1.0)


@jax.custom_jvp
def _minimise(e: Array, energy: Array, number: Array, skip: Array) -> tuple[Array, Array]:
    """The minimiser (b, a) of the dual of centred energies; (0, logit of the mean) if `skip`."""
    # Not optimistix: on 12000 random baths of 2 to 100 modes its Dogleg left up to 1.6% (cold ones)
    # unconverged after 100 steps, its Newton more; this descends the dual and left none.
    k = e.shape[0]
    mean = jnp.clip(number / k, _EPS, 1.0 - _EPS)
    start = (jnp.zeros(()), jnp.log(mean) - jnp.log1p(-mean))

    def dual(b, a):
        return jnp.sum(jnp.logaddexp(0.0, a - b * e)) + b * energy - a * number

    def slopes(b, a):
        n = fermi(b * e - a)
        return n, energy - pairwise_sum(n * e), pairwise_sum(n) - number

    def step(state):
        count, b, a, _, before = state
        n, down_b, down_a = slopes(b, a)
        db, da = _solve(e, n, down_b, down_a)
        fall = down_b * db + down_a * da
        height = dual(b, a)
        rounding = 8 * _EPS * (jnp.abs(height) + jnp.abs(b * energy) + jnp.abs(a * number))

        def too_long(length):
            _, slope_b, slope_a = slopes(b + length * db, a + length * da)
            higher = (
                dual(b + length * db, a + length * da) > height + 0.1 * length * fall + rounding
            )
            steeper = slope_b * db + slope_a * da > 0.9 * jnp.abs(fall)
            return (higher | steeper) & (length > 1e-9)

        length = jax.lax.while_loop(too_long, lambda length: 0.5 * length, jnp.ones(()))
        d = jnp.max(jnp.abs(e * db - da))
        settled = d <= 4 * _EPS * (1.0 + jnp.abs(a) + jnp.abs(b))
        done = settled | ((d < 1e-7) & (d > 0.25 * before)) | jnp.isnan(d)
        return count + 1, b + length * db, a + length * da, done, d

    def unfinished(state):
        return ~state[3] & (state[0] < _MAX_STEPS)

    state = jax.lax.while_loop(unfinished, step, (0, *start, skip, jnp.array(jnp.inf)))
    return state[1], state[2]


@_minimise.defjvp
def _minimise_jvp(primals, tangents):
    e, energy, number, skip = primals
    de, denergy, dnumber, _ = tangents
    b, a = _minimise(e, energy, number, skip)
    n = fermi(b * e - a)
    pull = b * n * (1.0 - n) * de
    db, da = _solve(e, n, denergy - n @ de + pull @ e, -dnumber - jnp.sum(pull))
    return (b, a), (jnp.where(skip, 0.0, db), jnp.where(skip, 0.0, da))


def _solve(e: Array, n: Array, energy_slope: Array, number_slope: Array) -> tuple[Array, Array]:
    """The Newton step of the dual; along alpha alone where all energies are equal."""
    mean, variance, total = _spread(e, n)
    bent = variance > 0
    db = -(energy_slope + mean * number_slope) / jnp.where(bent, variance, 1.0)
    db = jnp.where(bent, db, 0.0)
    return db, mean * db - number_slope / total


def _spread(e: Array, n: Array) -> tuple[Array, Array, Array]:
    """Mean and summed variance of the energies of the modes that can react, and their number."""
    w = n * (1.0 - n)
    total = jnp.maximum(jnp.sum(w), jnp.finfo(jnp.float64).tiny)
    mean = (w @ e) / total
    return mean, w @ (e - mean) ** 2, total


class Canonical(NamedTuple):
    r"""A canonical state over windows or levels, $p_i = g_i e^{-\beta E_i}/Z$.

    `entropy` is $\sum p_i(-\ln p_i + \ln g_i)$. `beta` is +inf (-inf) where the energy is the
    lowest (highest), NaN where all energies are alike; `determined`: it is a finite number.
    """

    beta: Float[Array, ""]
    entropy: Float[Array, ""]
    determined: Bool[Array, ""]


def match_canonical(
    energies: Float[Array, " k"], degeneracies: Float[Array, " k"], energy: Float[Array, ""]
) -> Canonical:
    r"""The canonical state with mean `energy` (Riera Eq. 62).

    $\beta$ minimises $\ln Z(\beta) + \beta U$, whose minimum is the entropy: it is the one root of
    a monotone function, bracketed and bisected, then polished by Newton's method. Derivatives
    follow from the implicit function theorem, $d\beta = -dU/\mathrm{var}\,E$ and
    $dS = \beta\,dU$ at fixed energies; at the edges, where beta is infinite, the state is the
    limit and constant.
    """
    if energies.shape[0] == 1:
        alone = jnp.log(degeneracies[0]) + 0.0 * energy
        return Canonical(jnp.full_like(energy, jnp.nan), alone, jnp.zeros_like(energy, bool))
    fixed = jax.lax.stop_gradient
    low, high = jnp.min(energies), jnp.max(energies)
    spread = fixed(high - low)
    wide = spread > 16 * _EPS * fixed(jnp.max(jnp.abs(energies)))
    scale = jnp.where(wide, spread, 1.0)
    e, target = (energies - fixed(low)) / scale, (energy - fixed(low)) / scale
    e = jnp.where(wide, e, jnp.arange(e.shape[0]) / e.shape[0])  # whatever has a root
    room = 16 * _EPS * (1.0 + fixed(jnp.max(jnp.abs(energies))) / scale)
    ground, top = fixed(target) <= room, fixed(target) >= 1.0 - room
    inside = wide & ~ground & ~top & jnp.isfinite(fixed(target))
    safe = jnp.where(inside, target, jnp.mean(fixed(e)))
    b = _canonical_root(e, jnp.log(degeneracies), safe)
    logs = jnp.log(degeneracies) - b * e
    # the dual: where b is off by x, it is off by x^2
    dual = jax.nn.logsumexp(logs) + b * safe
    edge = jnp.where(top, fixed(e) >= 1.0, fixed(e) <= 0.0)
    limit = jnp.log(jnp.sum(jnp.where(edge | ~wide, degeneracies, 0.0)))
    infinite = jnp.where(ground, jnp.inf, jnp.where(top, -jnp.inf, jnp.nan))
    beta = jnp.where(inside, b / scale, jnp.where(wide, infinite, jnp.nan))
    return Canonical(beta, jnp.where(inside, dual, limit), inside)


@jax.custom_jvp
def _canonical_root(e: Array, logs: Array, target: Array) -> Array:
    """b with mean e = target under exp(logs - b e), for e within [0, 1]."""

    def excess(b: Array, args: None) -> Array:
        del args
        return jnp.sum(jax.nn.softmax(logs - b * e) * e) - target

    # |b| times the smallest gap: a weight below rounding at the edge, whatever the degeneracies
    ordered = jnp.sort(e)
    gaps = jnp.diff(ordered)
    gap = jnp.min(jnp.where(gaps > 0, gaps, 1.0))
    reach = (80.0 + jnp.max(logs) - jnp.min(logs) + jnp.log(logs.shape[0])) / gap
    b = jnp.zeros(())
    bisection = optimistix.Bisection(rtol=1e-12, atol=1e-12)
    found = optimistix.root_find(
        excess,
        bisection,
        b,
        options={"lower": -reach, "upper": reach},
        max_steps=200,
        throw=False,
    )
    b = found.value
    for _ in range(2):
        p = jax.nn.softmax(logs - b * e)
        variance = p @ (e - p @ e) ** 2
        step = (p @ e - target) / jnp.where(variance > 0, variance, 1.0)
        good = (variance > 0) & (jnp.abs(step) < 1e-3 * (1.0 + jnp.abs(b)))
        b = b + jnp.where(good, step, 0.0)
    return b


@_canonical_root.defjvp
def _canonical_root_jvp(primals, tangents):
    e, logs, target = primals
    de, dlogs, dtarget = tangents
    b = _canonical_root(e, logs, target)
    p = jax.nn.softmax(logs - b * e)
    away = e - p @ e
    variance = jnp.maximum(p @ away**2, jnp.finfo(jnp.float64).tiny)
    shifted = p @ de + p @ (away * (dlogs - b * de))
    return b, (shifted - dtarget) / variance
