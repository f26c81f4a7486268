r"""Equilibrium states, and the inverse problems (energy, number) -> (beta, mu), energy -> beta.

Grand canonical fermions:

Given $E$ and $N$, the natural parameters $\beta$ and $\alpha=\beta\mu$ minimise the convex dual

$$ \Phi(\beta,\alpha) = \sum_k \ln(1 + e^{\alpha-\beta\epsilon_k}) + \beta E - \alpha N, $$

whose minimum is the entropy of the matching grand canonical state (Usui Eqs. 5 and 6).

Near an end of the band E and N say little: what matters is what the state lacks to the filled Fermi
sea there. So particles are counted above the sea ($s_k=1$, $n'_k=n_k$) and holes in it ($s_k=-1$,
$n'_k=1-n_k$), with energies $e_k$ from the Fermi level, $s_k e_k \ge 0$. The dual is

$$ \Phi = \sum_k \ln(1 + e^{s_k(\alpha-\beta e_k)}) + \beta\,U - \alpha\,\delta,
   \quad U = \sum_k n'_k |e_k|, \quad \delta = \sum_k s_k n'_k, $$

and the excess energy U, a sum of positive terms, is known from occupations to relative accuracy.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from jaxtyping import Array, Bool, Float, Inexact

from entropax.entropy import binary_entropy, von_neumann
from entropax.linalg import Exponential, careful_sum, eigenvalues, matfn, modes

_EPS = 2.0**-52
_TINY = 2.0**-1022
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


def equilibrium_free_energy(
    energies: Float[Array, " d"], beta: Float[Array, ""]
) -> Float[Array, ""]:
    r"""$-\ln(\mathrm{tr}\,e^{-\beta H}/d)/\beta$ of levels: differences of it are those of F.

    At beta = 0 their mean, at +-infinity the lowest or highest.
    """
    middle = jnp.mean(energies)
    spread = jnp.max(energies) - jnp.min(energies)
    is_flat = jnp.abs(beta) * spread < 1.0
    is_limit = ~jnp.isfinite(beta) | (beta == 0)
    by = jnp.where(is_limit, 1.0, beta)
    x = -by * (energies - middle)
    # of small x the logarithm of a mean near 1, of large x one that does not overflow
    flat = jnp.log1p(jnp.mean(jnp.expm1(jnp.where(is_flat, x, 0.0))))
    steep = jax.nn.logsumexp(x) - jnp.log(energies.shape[0])
    found = middle - jnp.where(is_flat, flat, steep) / by
    edge = jnp.where(beta > 0, jnp.min(energies), jnp.max(energies))
    return jnp.where(is_limit, jnp.where(beta == 0, middle, edge), found)


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
    infinite or undetermined, occupations and entropy are those of the limit and constant; what E
    cannot tell from an edge, being rounded, is taken to be there (see `match_occupations`).

    Cost: two sorts, and O(k) a step, 5 to 60 steps (90 where energies differ by a hair).
    """
    return _match(*(jnp.asarray(x, float) for x in (energies, energy, number))).state


@jax.custom_jvp
def _match(energies: Array, energy: Array, number: Array) -> "_Matched":
    k = energies.shape[0]
    rank = _ranks(energies)
    filled = jnp.clip(jnp.round(number), 0, k)
    offset = number - filled

    def seen(sign: Array) -> tuple[_Sea, Array]:
        sea = _sea(energies, sign, _sides(rank, sign, filled), offset)
        in_sea = careful_sum(jnp.where(sea.side < 0, energies, 0.0))
        return sea, sign * (energy - in_sea - sea.level * offset) / sea.scale

    sea, excess = _nearer_end(seen)
    summed = number + (jnp.abs(energy) + jnp.abs(sea.level) * number) / sea.scale
    room = 16 * _EPS * k
    edge = _Edge(
        extreme=(number <= room) | (number >= k - room),
        ground=excess <= 0.5 * room,
        offset=jnp.where(jnp.abs(offset) <= room, 0.0, offset),
    )
    return _matched(sea, excess, offset, edge, summed)


@_match.defjvp
def _match_jvp(primals, tangents):
    found, (change, denergy, dnumber) = _match(*primals), tangents
    sea = found.sea
    in_sea = jnp.sum((sea.side < 0) * change)
    dexcess = sea.sign * (denergy - in_sea - sea.level * dnumber) / sea.scale
    return found, _moved(found, sea.sign * change / sea.scale, dexcess, dnumber)


@jax.jit
def match_occupations(energies: Float[Array, " k"], occupations: Float[Array, " k"]) -> Equilibrium:
    r"""The grand canonical state with energy $\sum_k n_k\epsilon_k$ and number $\sum_k n_k$.

    As `match`, but however close to an edge: that is reached where every mode is filled as there,
    to 4e-15, so that no mode of noticeable occupation is empty in the state found, and beta may be
    as large as one over the least difference of energies. The entropy's derivatives are
    $\beta\epsilon_k-\alpha$ by $n_k$ and $\beta\,(n_k-n^*_k)$ by $\epsilon_k$, $n^*$ being the
    occupations found. Given ones outside [0, 1] count as 0 or 1.

    Cost: as of `match`.
    """
    energies, n = jnp.asarray(energies, float), jnp.asarray(occupations, float)
    n = n + jax.lax.stop_gradient(jnp.clip(n, 0.0, 1.0) - n)
    return _match_occupations(energies, n).state


@jax.custom_jvp
def _match_occupations(energies: Array, n: Array) -> "_Matched":
    rank = _ranks(energies)
    total = careful_sum(n)
    filled = jnp.round(total)

    def seen(sign: Array) -> tuple[_Sea, Array, Array, Array]:
        side = _sides(rank, sign, filled)
        share = jnp.where(side > 0, n, 1.0 - n)
        offset = careful_sum(side * share)
        sea = _sea(energies, sign, side, offset)
        return sea, careful_sum(share * side * sea.e), offset, share

    sea, excess, offset, share = _nearer_end(seen)
    noticed = jnp.where(share > 16 * _EPS, share, 0.0)
    edge = _Edge(
        extreme=jnp.all(noticed == 0) & ((filled == 0) | (filled == energies.shape[0])),
        ground=jnp.all((noticed == 0) | (sea.e == 0)),
        offset=jnp.sum(sea.side * noticed),
    )
    return _matched(sea, excess, offset, edge, total)


@_match_occupations.defjvp
def _match_occupations_jvp(primals, tangents):
    found = _match_occupations(*primals)
    sea, n, (change, dn) = found.sea, primals[1], tangents
    share, de = jnp.where(sea.side > 0, n, 1.0 - n), sea.sign * change / sea.scale
    return found, _moved(found, de, dn @ sea.e + (share * sea.side) @ de, jnp.sum(dn))


class _Sea(NamedTuple):
    r"""The modes seen from the lower end of the band (`sign` 1), or reversed from the upper (-1).

    `side` $s_k$ is -1 in the sea and 1 above; `level` is the Fermi level, the energy that a small
    change of the number fills or empties, and `middle` is midway between the sea and what is above.
    `e`: `sign` times energies from `level`, in units of `scale`, the width of the band (1 if none).
    """

    sign: Array
    side: Float[Array, " k"]
    level: Float[Array, ""]
    middle: Float[Array, ""]
    scale: Float[Array, ""]
    e: Float[Array, " k"]


def _ranks(energies: Array) -> Array:
    return jnp.argsort(jnp.argsort(energies))


def _sides(rank: Array, sign: Array, filled: Array) -> Array:
    """-1 for the first `filled` modes from an end of the band, 1 for the others."""
    in_sea = jnp.where(sign > 0, rank < filled, rank >= rank.shape[0] - filled)
    return jnp.where(in_sea, -1.0, 1.0)


def _sea(energies: Array, sign: Array, side: Array, offset: Array) -> _Sea:
    above = jnp.min(jnp.where(side > 0, sign * energies, jnp.inf))
    below = jnp.max(jnp.where(side < 0, sign * energies, -jnp.inf))
    level = sign * jnp.where((offset >= 0) & jnp.isfinite(above), above, below)
    # energies that differ by rounding are equal
    rounding = 8 * _EPS * jnp.max(jnp.abs(energies)) + _TINY
    width = jnp.max(energies) - jnp.min(energies)
    scale = jnp.where(width > rounding, width, 1.0)
    away = jnp.where(jnp.abs(energies - level) <= rounding, 0.0, energies - level)
    middle = 0.5 * sign * (above + below)
    return _Sea(sign, side, level, middle, scale, sign * away / scale)


def _nearer_end(seen: Callable[[Array], Any]) -> Any:
    """What is seen from that end of the band which the state has the smaller excess energy over."""
    both = jax.vmap(seen)(jnp.array([1.0, -1.0]))
    low, high = both[1]
    return jax.tree.map(lambda x: jnp.where(low <= high, x[0], x[1]), both)


class _Edge(NamedTuple):
    """Whether the bath is empty or filled, whether it is the sea, and how much it exceeds that."""

    extreme: Bool[Array, ""]
    ground: Bool[Array, ""]
    offset: Float[Array, ""]


class _Matched(NamedTuple):
    """An equilibrium, the sea it is seen from, b and a there, and whether it is an edge."""

    state: Equilibrium
    sea: _Sea
    b: Float[Array, ""]
    a: Float[Array, ""]
    reached: Bool[Array, ""]


def _matched(sea: _Sea, excess: Array, offset: Array, edge: _Edge, summed: Array) -> _Matched:
    """The state with given excess energy and number; `summed`: size of the sums that gave them."""
    e, side = sea.e, sea.side
    wide = jnp.any(e != 0)
    reached = edge.extreme | (edge.ground & wide)
    limit = _limit(side, e == 0, edge.offset)
    b, a = _minimise(e, side, excess, offset, reached)
    mean, variance, _ = _spread(e, fermi(side * (b * e - a)))
    # b is zero where rounding may have made it; what exceeds 1 it has not
    tilted = jnp.abs(b) > jnp.minimum(16 * _EPS * summed / jnp.maximum(variance, _TINY), 1.0)
    drop = jnp.where(tilted, 0.0, b)
    b, a = b - drop, a - drop * mean
    x = b * e - a
    share = jnp.where(reached, limit, fermi(side * x))
    odds = side * jnp.where(limit > 0, jnp.log1p(-limit) - jnp.log(limit), jnp.inf)
    # the dual, as the state's entropy plus a small correction for what rounding left unmatched
    had_energy, had_number = careful_sum(share * side * jnp.stack([e, jnp.ones_like(e)]))
    miss_energy, miss_number = excess - had_energy, offset - had_number
    unmatched = jnp.asarray(jnp.where(reached, 0.0, b * miss_energy - a * miss_number))

    determined = ~reached & wide & tilted
    infinite = jnp.where(reached & ~edge.extreme, sea.sign * jnp.inf, jnp.nan)
    surface = jnp.where(edge.offset == 0, sea.middle, sea.level)
    surface = jnp.where(reached & ~edge.extreme, surface, jnp.nan)
    mu = sea.level + sea.sign * sea.scale * a / jnp.where(tilted, b, 1.0)
    coarse = jnp.where(reached | ~tilted, e.shape[0] + summed, 0.0)
    sound = jnp.abs(miss_energy) <= 500 * _EPS * (coarse + excess)
    sound &= jnp.abs(miss_number) <= 500 * _EPS * (coarse + jnp.sum(share))
    state = Equilibrium(
        beta=jnp.where(~reached & wide, sea.sign * b / sea.scale, infinite),
        mu=jnp.where(determined, mu, surface),
        log_odds=jnp.where(reached, odds, x),
        occupations=jnp.where(side > 0, share, 1.0 - share),
        entropy=jnp.sum(binary_entropy(share)) + unmatched,
        determined=determined,
        converged=sound & jnp.isfinite(excess),
    )
    return _Matched(state, sea, b, a, reached)


def _moved(found: _Matched, de: Array, dexcess: Array, doffset: Array) -> _Matched:
    """The tangent of what was found, from those of energies, excess energy and number."""
    state, sea, b, a, reached = found
    e, side = sea.e, sea.side
    # of particles and of holes, both to full relative accuracy
    share = fermi(side * jnp.where(reached, 0.0, state.log_odds))
    w = share * (1.0 - share)
    pull = b * w * de
    db, da = _solve(e, share, dexcess - (share * side) @ de + pull @ e, -doffset - jnp.sum(pull))
    dx = jnp.where(reached, 0.0, b * de + db * e - da)
    # the entropy is the minimum of the dual
    dentropy = b * (dexcess - (share * side) @ de) - a * doffset
    tilt = jnp.where(state.determined, b, 1.0)
    none: Any = np.zeros((), jax.dtypes.float0)  # the tangent of a bool
    change = Equilibrium(
        beta=jnp.where(jnp.isfinite(state.beta), sea.sign * db / sea.scale, 0.0),
        mu=jnp.where(state.determined, sea.sign * sea.scale * (da - a / tilt * db) / tilt, 0.0),
        log_odds=dx,
        occupations=-w * dx,
        entropy=jnp.where(reached, 0.0, dentropy),
        determined=none,
        converged=none,
    )
    at_rest = jax.tree.map(jnp.zeros_like, sea)
    db, da = (jnp.where(reached, 0.0, x) for x in (db, da))
    return _Matched(change, at_rest._replace(e=de), db, da, none)


def _limit(side: Array, at_level: Array, offset: Array) -> Array:
    """Shares of particles and holes at an edge: the modes at the Fermi level share equally."""
    counts = jnp.sum(at_level & jnp.stack([side > 0, side < 0]), axis=1)
    particles, holes = counts[0], counts[1]
    opposite = jnp.where(side > 0, holes, particles)
    shared = (opposite + side * offset) / jnp.maximum(particles + holes, 1)
    return jnp.where(at_level, jnp.clip(shared, 0.0, 1.0), 0.0)


class _Descent(NamedTuple):
    """A point of a descent on the dual, the next step from there, and how much of it is tried.

    `fall`: the slope along the whole step; `blunt`: how steep it may be at the end of one that is
    not too long; `size`: the step's, relative to the point's.
    """

    b: Array
    a: Array
    height: Array
    rounding: Array
    db: Array
    da: Array
    fall: Array
    blunt: Array
    size: Array
    is_last: Array
    length: Array
    steps: Array
    done: Array


def _minimise(
    e: Array, side: Array, excess: Array, offset: Array, skip: Array
) -> tuple[Array, Array]:
    """The minimiser (b, a) of the dual; (0, logit of the mean) if `skip`."""
    # Not optimistix: on 12000 random baths of 2 to 100 modes its Dogleg left up to 1.6% (cold ones)
    # unconverged after 100 steps, its Newton more; this descends the dual and left none.
    filled = jnp.sum(side < 0)
    particles, holes = filled + offset, e.shape[0] - filled - offset
    start = jnp.log(jnp.maximum(particles, _TINY)) - jnp.log(jnp.maximum(holes, _TINY))

    def advance(here: _Descent) -> _Descent:
        """To the end of the step, or only half as far next time."""
        b, a = here.b + here.length * here.db, here.a + here.length * here.da
        x = side * (b * e - a)
        n = fermi(x)
        energy, number = careful_sum(n * side * jnp.stack([e, jnp.ones_like(e)]))
        down_b, down_a = excess - energy, number - offset
        tilt_b, tilt_a = b * excess, a * offset
        height = jnp.sum(jnp.logaddexp(0.0, -x)) + tilt_b - tilt_a
        higher = height > here.height + 0.1 * here.length * here.fall + here.rounding
        steeper = down_b * here.db + down_a * here.da > here.blunt
        is_too_long = (higher | steeper) & (here.length > 1e-9)

        db, da = _solve(e, n, down_b, down_a)
        fall = down_b * db + down_a * da
        # relative to each mode's log odds: far modes have large ones where others are a hair apart
        size = jnp.max(jnp.abs(e * db - da) / (1.0 + jnp.abs(a) + jnp.abs(b * e)))
        there = _Descent(
            b,
            a,
            height,
            rounding=8 * _EPS * (jnp.abs(height) + jnp.abs(tilt_b) + jnp.abs(tilt_a)),
            db=db,
            da=da,
            fall=fall,
            blunt=0.9 * jnp.abs(fall)
            + 8 * _EPS * (jnp.abs(db * excess) + jnp.abs(da) * jnp.sum(n)),
            size=size,
            is_last=(size <= 4 * _EPS)
            | ((size < 1e-7) & (size > 0.25 * here.size))
            | jnp.isnan(size),
            length=jnp.ones(()),
            steps=here.steps + 1,
            done=here.is_last | (here.steps == _MAX_STEPS),
        )
        shorter = here._replace(length=0.5 * here.length)
        return jax.tree.map(lambda x, y: jnp.where(is_too_long, x, y), shorter, there)

    zero, infinite = jnp.zeros(()), jnp.array(jnp.inf)
    first = _Descent(
        zero,
        start,
        height=infinite,
        rounding=zero,
        db=zero,
        da=zero,
        fall=zero,
        blunt=zero,
        size=infinite,
        is_last=jnp.array(False),
        length=zero,
        steps=jnp.array(0),
        done=skip,
    )
    found = jax.lax.while_loop(lambda here: ~here.done, advance, first)
    return found.b, found.a


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
    total = jnp.maximum(jnp.sum(w), _TINY)
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
    variance = jnp.maximum(p @ away**2, _TINY)
    shifted = p @ de + p @ (away * (dlogs - b * de))
    return b, (shifted - dtarget) / variance
