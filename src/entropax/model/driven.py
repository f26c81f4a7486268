"""What all models share that may be driven: protocols for some of their numbers."""

import abc
import itertools
from functools import partial
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._checks import check, check_against, concrete, is_traced
from entropax.protocol import AbstractProtocol, Early, Interval, Time, covers


def before_start() -> Interval:
    """A stretch that ends at the start; what is driven has its first value there."""
    return jnp.array(-1.0), jnp.zeros(())


_ROUNDING = 2.0**-43
"""Some hundred times that of a number; times that differ by less are meant to be one."""


class AbstractDriven(eqx.Module):
    """A model some of whose numbers may be protocols."""

    @property
    @abc.abstractmethod
    def protocols(self) -> dict[str, AbstractProtocol]:
        """All that is driven, by name."""

    @abc.abstractmethod
    def within(self, time: Time, stretch: Interval) -> Self:
        """The undriven model of `time`, as seen from inside a stretch without breaks."""

    @property
    def is_driven(self) -> bool:
        """Whether anything depends on time."""
        return bool(self.protocols)

    @property
    def is_piecewise_constant(self) -> bool:
        """Whether everything is constant between breaks."""
        return all(p.is_piecewise_constant for p in self.protocols.values())

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        """Times at which something jumps or bends, ascending."""
        return jnp.sort(
            jnp.concatenate([jnp.zeros(0), *(p.breaks for p in self.protocols.values())])
        )

    @property
    def marks(self) -> Float[Array, " marks"]:
        """Times that steps must meet where nothing jumps, ascending."""
        return jnp.sort(
            jnp.concatenate([jnp.zeros(0), *(p.marks for p in self.protocols.values())])
        )

    def with_separated_breaks(self) -> Self:
        """The same model, in which no two protocols break at one time.

        The breaks of protocol k are moved earlier by k 1e-13 of their time: derivatives by the time
        of either of two breaks at once would be undefined, and a saved time that rounding has put
        just before a break now counts as after it.
        """
        number = itertools.count(1)

        def earlier(node: Any) -> Any:
            if not isinstance(node, AbstractProtocol) or not node.breaks.shape[0]:
                return node
            return Early(node, _ROUNDING * next(number))

        return jax.tree.map(earlier, self, is_leaf=lambda x: isinstance(x, AbstractProtocol))

    def at(self, time: Time) -> Self:
        """The undriven model of `time`, after what jumps there."""
        return self.within(time, (time, time))

    def before(self) -> Self:
        """The undriven model of the time before the start."""
        return self.within(jnp.zeros(()), before_start())

    def require_defined(self, ts: Float[Array, " times"]) -> Float[Array, " times"]:
        """The times, checked against the domains and values of the protocols."""
        if not self.is_driven:
            return ts
        ts = check("ts", ts, "non-negative where a model is driven", lambda xp, t: t >= 0)
        for name, protocol in self.protocols.items():
            first, last = domain = tuple(map(concrete, protocol.domain))
            inside = f"where `{name}` is defined, which it must be from time 0 on"
            if not is_traced(first) and not is_traced(last):
                inside = f"{inside} ({float(first):g} to {float(last):g})"
            ts = check_against("ts", ts, inside, partial(covers, domain, ts))
            with jax.ensure_compile_time_eval():
                values = concrete(jax.vmap(protocol)(jnp.append(ts, 0.0)))
            if not is_traced(values):  # what is traced is judged when the program has run
                check(name, values, "finite at 0 and at all of `ts`", lambda xp, x: xp.isfinite(x))
        return ts


class AbstractControlled(AbstractDriven):
    r"""A model whose Hamiltonian is linear in what is driven: $H(t) = H_0 + \sum_i u_i(t) V_i$."""

    @property
    @abc.abstractmethod
    def given_controls(self) -> tuple[Float[Array, ""] | AbstractProtocol, ...]:
        """u_i, numbers or protocols."""

    @abc.abstractmethod
    def with_controls(self, controls: Float[Array, " controls"]) -> Self:
        """The undriven model with given u_i."""

    def within(self, time: Time, stretch: Interval) -> Self:
        return self.with_controls(self.controls(time, stretch))

    def controls(self, time: Time, stretch: Interval) -> Float[Array, " controls"]:
        """u_i inside a stretch without breaks."""
        values = [value_within(u, time, stretch) for u in self.given_controls]
        return jnp.stack(values) if values else jnp.zeros(0)

    def controls_at(self, time: Time) -> Float[Array, " controls"]:
        """u_i at `time`, after what jumps there."""
        return self.controls(time, (time, time))

    def control_slopes(self, time: Time, stretch: Interval) -> Float[Array, " controls"]:
        """du_i/dt inside a stretch without breaks."""
        slopes = [slope_within(u, time, stretch) for u in self.given_controls]
        return jnp.stack(slopes) if slopes else jnp.zeros(0)


def slope_within(
    value: Float[Array, ""] | AbstractProtocol, time: Time, stretch: Interval
) -> Float[Array, ""]:
    """The time derivative of a protocol inside a stretch; 0 of a number."""
    return value.slope(time, stretch) if isinstance(value, AbstractProtocol) else jnp.zeros(())


def value_within(
    value: Float[Array, ""] | AbstractProtocol, time: Time, stretch: Interval
) -> Float[Array, ""]:
    """A number, or a protocol's inside a stretch."""
    return value.within(time, stretch) if isinstance(value, AbstractProtocol) else value
