"""Parametrised functions of time: how an energy is driven."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._checks import Numbers, as_pytree, check, finite_array

Time = Float[Array, ""]


class AbstractProtocol(eqx.Module):
    """A number that depends on time, right-continuous where it jumps.

    Between neighbouring `breaks` it is smooth; methods treat each such stretch apart, so that a
    break need not be one of the times asked for.
    """

    is_piecewise_constant: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def __call__(self, time: Time) -> Float[Array, ""]:
        """The value at `time`, after the jump where there is one."""

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        """Times at which it jumps or bends, ascending."""
        return jnp.zeros(0)

    @property
    def domain(self) -> tuple[Time, Time]:
        """First and last time at which it is defined."""
        return jnp.array(-jnp.inf), jnp.array(jnp.inf)

    def within(self, time: Time, stretch: tuple[Time, Time]) -> Float[Array, ""]:
        """The value at `time` as seen from inside a stretch that holds no break.

        At the stretch's end this is the limit from the left.
        """
        del stretch
        return self(time)

    def slope(self, time: Time, stretch: tuple[Time, Time]) -> Float[Array, ""]:
        """The time derivative inside a stretch that holds no break."""
        return jax.jvp(lambda t: self.within(t, stretch), (time,), (jnp.ones_like(time),))[1]


class PiecewiseConstant(AbstractProtocol):
    """`values[i]` from `times[i-1]` up to `times[i]`: sudden quenches (Riera Eq. 68).

    **Arguments:** `times`: of the jumps, ascending, not negative; `values`: one more than `times`.
    The value at a jump is that after it.
    """

    times: Float[Array, " jumps"]
    values: Float[Array, " jumps+1"]
    is_piecewise_constant = True

    def __init__(self, times: Numbers, values: Numbers):
        self.times = _break_times(times)
        self.values = finite_array("values", values, ndim=1)
        count = self.times.shape[0] + 1
        if self.values.shape[0] != count:
            raise ValueError(
                f"`values` must have one entry more than `times` ({count}), "
                f"but has {self.values.shape[0]}."
            )

    def __call__(self, time: Time) -> Float[Array, ""]:
        return self.values[jnp.searchsorted(self.times, time, side="right")]

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return self.times

    def within(self, time: Time, stretch: tuple[Time, Time]) -> Float[Array, ""]:
        del time
        return self(0.5 * (stretch[0] + stretch[1]))


class PiecewiseLinear(AbstractProtocol):
    """Straight lines through (`times`, `values`), defined from the first to the last of them.

    **Arguments:** `times`: ascending, not negative, two or more; `values`: as many.
    """

    times: Float[Array, " nodes"]
    values: Float[Array, " nodes"]
    is_piecewise_constant = False

    def __init__(self, times: Numbers, values: Numbers):
        self.times = _break_times(times)
        self.values = finite_array("values", values, ndim=1)
        count = self.times.shape[0]
        if self.values.shape[0] != count or count < 2:
            raise ValueError(
                f"`values` must have as many entries as `times` ({count}), 2 or more, "
                f"but has {self.values.shape[0]}."
            )

    def __call__(self, time: Time) -> Float[Array, ""]:
        return jnp.interp(time, self.times, self.values)

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return self.times[1:-1]

    @property
    def domain(self) -> tuple[Time, Time]:
        return self.times[0], self.times[-1]

    def slope(self, time: Time, stretch: tuple[Time, Time]) -> Float[Array, ""]:
        del time
        place = jnp.searchsorted(self.times, 0.5 * (stretch[0] + stretch[1]), side="right") - 1
        place = jnp.clip(place, 0, self.times.shape[0] - 2)
        rise, run = jnp.diff(self.values), jnp.diff(self.times)
        return rise[place] / run[place]


class Smooth(AbstractProtocol):
    """Any smooth function of time, an `eqx.Module` where its parameters are to be differentiated.

    Other functions are told apart by identity: a new `lambda` compiles anew.
    """

    function: Callable[[Array], Array]
    is_piecewise_constant = False

    def __init__(self, function: Callable[[Array], Array]):
        self.function = as_pytree(function)

    def __call__(self, time: Time) -> Float[Array, ""]:
        return jnp.asarray(self.function(time))


def protocol(name: str, value: Any) -> AbstractProtocol:
    """`value` as a protocol: one, or a function of time that returns a number."""
    if isinstance(value, AbstractProtocol):
        return value
    shape = eqx.filter_eval_shape(value, jnp.zeros(())).shape
    if shape != ():
        raise ValueError(f"`{name}` must return a number at each time, but returns shape {shape}.")
    return Smooth(value)


def _break_times(times: Numbers) -> Float[Array, " times"]:
    array = finite_array("times", times, ndim=1)
    array = check("times", array, "non-negative", lambda xp, t: t >= 0)
    return check("times", array, "ascending", lambda xp, t: xp.diff(t, prepend=-1.0) > 0)
