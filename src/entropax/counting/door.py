"""The door to fluctuations: model x times x what is counted -> a random variable at each time."""

from typing import Any

from entropax._checks import Numbers, finite_array
from entropax.counting.ideal import count_jumps
from entropax.counting.kinds import KINDS, OF_ALL, require_count_of
from entropax.counting.law import AbstractCounting
from entropax.counting.of_fermions import count_fermions
from entropax.counting.windows import count_windows
from entropax.method import AbstractMethod, Exact
from entropax.method.ideal.master_equation import AbstractIdealBathEquation
from entropax.model import FermionNetwork, Junction, OpenSystem
from entropax.sharpness import with_marks
from entropax.solve import require_method


def counting(
    model: Any,
    ts: Numbers,
    of: Any,
    bath: int | tuple[int | None, ...] | None = None,
    method: AbstractMethod[Any] | None = None,
    *,
    throw: bool | None = None,
) -> AbstractCounting:
    r"""What is counted from time 0 to each of `ts`, as a random variable x.

    `mean`, `variance`, `cumulants(order)`, `generating(u)` $=\langle e^{ux}\rangle$ and
    `distribution()` of the result are exact, and differentiable in every number of the model.

    **Arguments:**

    - `model`: a `Junction` or a `FermionNetwork`, driven or not; an undriven `OpenSystem` with
      ideal baths, or any with window baths.
    - `ts`: shape (times,).
    - `of`: "particles", "energy" or "heat" ($\sum_k(\epsilon_k-\mu)n_k$, with the initial $\mu$):
      what `bath` has gained, measured at the start and at each time (minus the ledger's `heat`);
      "work": the energy of all, H(t) at the end and H(0) at the start; "entropy_production":
      $\ln p_0 - \ln q$ of all occupations, measured at both times, where q is the product of the
      system's state then and the baths' thermal states (of their `beta` and `mu`, where they have
      any, else the effective ones of the start): its mean is $D[\rho(t)\|q]$,
      `entropy_production_fixed` of a thermal start; or weights of sites, shape
      (sites,), or a Hermitian matrix between them. Several in a tuple are counted jointly.
    - `bath`: its number, or one for each of several counts.
    - `method`: as for `solve`; `Exact()` where left out.
    - `throw`: as for `solve`.

    What is measured at the start must commute with it (else `ValueError`).
    Cost: of a junction O(modes^2) a time and value of u (from 500 modes on, below by dense
    determinants, as of a network O(sites^3)); memory of U at each time asked for.
    """
    times = finite_array("ts", ts, ndim=1)
    counts = tuple(of) if isinstance(of, tuple) else (of,)
    if isinstance(model, Junction | FermionNetwork):
        baths = _baths(counts, bath, len(model.bath_temperatures))
        chosen = require_method(Exact() if method is None else method)
        plan = chosen.plan(with_marks(model, times), times)
        return count_fermions(plan.model, plan, chosen, counts, baths, throw)
    if not isinstance(model, OpenSystem):
        kind = type(model).__name__
        raise ValueError(
            f"`model` must be a Junction, a FermionNetwork or an OpenSystem, but is {kind}."
        )
    if method is None:
        raise ValueError("`method` must be given for an OpenSystem, as for `solve`.")
    chosen = require_method(method)
    if len(counts) > 1 or not isinstance(of, str):
        raise ValueError(f"`of` must be one count, by its name, for an OpenSystem, but is {of!r}.")
    (number,) = _baths(counts, bath, len(model.baths))
    if isinstance(chosen, AbstractIdealBathEquation):
        if of == "work":
            raise ValueError(
                "`of` must be what a bath gains, or the entropy production, but is work."
            )
        return count_jumps(model, times, chosen, of, number)
    return count_windows(model, times, chosen, of, number, throw)


def _baths(counts: tuple[Any, ...], bath: Any, number: int) -> tuple[int | None, ...]:
    """The bath of each count; `ValueError` for what is not known."""
    each = bath if isinstance(bath, tuple) else (bath,) * len(counts)
    if len(each) != len(counts):
        raise ValueError(f"`bath` must be one number a count ({len(counts)}), but is {bath!r}.")
    out: list[int | None] = []
    for of, b in zip(counts, each, strict=True):
        if isinstance(of, str) and of not in (*KINDS, *OF_ALL):
            every = ", ".join([*KINDS, *OF_ALL])
            raise ValueError(f"`of` must be {every}, or weights, but is {of!r}.")
        out.append(require_count_of(of, b, number) if isinstance(of, str) else None)
    return tuple(out)
