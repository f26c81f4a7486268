"""Parametrised functions of time: how energies, couplings and drives change."""

import abc
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jaxtyping import Array, Float

from entropax._checks import (
    Numbers,
    check,
    check_against,
    concrete,
    finite_array,
    is_traced,
    require_count,
)
from entropax._functions import as_pytree

Time = Float[Array, ""]

Interval = tuple[Time, Time]
"""First and last time of a stretch without a break."""


class AbstractProtocol(eqx.Module):
    """A number that depends on time, right-continuous where it jumps.

    Between neighbouring `breaks` it is smooth; methods treat each such stretch apart, so that a
    break need not be one of the times asked for. `held` names the fields that stay as they are
    where its parameters are optimised.
    """

    held: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def __call__(self, time: Time) -> Float[Array, ""]:
        """The value at `time`, after the jump where there is one."""

    @property
    def is_piecewise_constant(self) -> bool:
        """Whether it is constant between breaks."""
        return False

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        """Times at which it jumps or bends, ascending."""
        return jnp.zeros(0)

    @property
    def marks(self) -> Float[Array, " marks"]:
        """Times at which steps must end though nothing jumps: it changes fast there."""
        return jnp.zeros(0)

    @property
    def time_scale(self) -> float | None:
        """The shortest time in which it changes between breaks: infinity where these tell all, None
        where it is unknown, so that `solve` has to search for it (`entropax.sharpness`).
        """
        return np.inf if self.is_piecewise_constant else None

    @property
    def domain(self) -> Interval:
        """First and last time at which it is defined."""
        return jnp.array(-jnp.inf), jnp.array(jnp.inf)

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        """The value at `time` as seen from inside a stretch that holds no break.

        At the stretch's end this is the limit from the left.
        """
        del stretch
        return self(time)

    def slope(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        """The time derivative inside a stretch that holds no break."""
        return jax.jvp(lambda t: self.within(t, stretch), (time,), (jnp.ones_like(time),))[1]


class Constant(AbstractProtocol):
    """The same `value` at all times: for a number to be optimised where a protocol is expected."""

    value: Float[Array, ""]

    def __init__(self, value: Numbers):
        self.value = finite_array("value", value, ndim=0)

    def __call__(self, time: Time) -> Float[Array, ""]:
        del time
        return self.value

    @property
    def is_piecewise_constant(self) -> bool:
        return True


class PiecewiseConstant(AbstractProtocol):
    """`values[i]` from `times[i-1]` up to `times[i]`: sudden quenches (Riera Eq. 68).

    **Arguments:** `times`: of the jumps, ascending, not negative; `values`: one more than `times`.
    The value at a jump is that after it.
    """

    times: Float[Array, " jumps"]
    values: Float[Array, " jumps+1"]
    held = ("times",)

    def __init__(self, times: Numbers, values: Numbers):
        self.times = _break_times(times)
        self.values = finite_array("values", values, ndim=1)
        count = self.times.shape[0] + 1
        if self.values.shape[0] != count:
            raise ValueError(
                f"`values` must have one entry more than `times` ({count}), "
                f"but has {self.values.shape[0]}."
            )

    @classmethod
    def ramp(cls, start: Numbers, end: Numbers, *, duration: Numbers, pieces: int) -> "Held[Self]":
        """A staircase of `pieces` equal steps from `start`, held before, to `end`, held after."""
        nodes = _nodes(duration, pieces)
        line = PiecewiseLinear(nodes, _line(start, end, pieces))
        middle = 0.5 * (nodes[1:] + nodes[:-1])
        return Held(cls(nodes[1:-1], jax.vmap(line)(middle)), start, end, duration)

    def __call__(self, time: Time) -> Float[Array, ""]:
        return self.values[jnp.searchsorted(self.times, time, side="right", method="compare_all")]

    @property
    def is_piecewise_constant(self) -> bool:
        return True

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return self.times

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        del time
        return self(0.5 * (stretch[0] + stretch[1]))


class AbstractThroughPoints(AbstractProtocol):
    """A curve through (`times`, `values`), defined from the first to the last of them.

    **Arguments:** `times`: ascending, not negative, two or more; `values`: as many.
    """

    times: Float[Array, " nodes"]
    values: Float[Array, " nodes"]
    held = ("times",)

    def __init__(self, times: Numbers, values: Numbers):
        self.times = _break_times(times)
        self.values = finite_array("values", values, ndim=1)
        count = self.times.shape[0]
        if self.values.shape[0] != count or count < 2:
            raise ValueError(
                f"`values` must have as many entries as `times` ({count}), 2 or more, "
                f"but has {self.values.shape[0]}."
            )

    @classmethod
    def ramp(cls, start: Numbers, end: Numbers, *, duration: Numbers, pieces: int) -> "Held[Self]":
        """A straight line from `start` to `end`, of `pieces` that may then be bent.

        Before and after it is held at `start` and `end`, so that an optimised protocol may jump
        at both ends.
        """
        line = cls(_nodes(duration, pieces), _line(start, end, pieces))
        return Held(line, start, end, duration)

    def __call__(self, time: Time) -> Float[Array, ""]:
        time = jnp.clip(time, *self.domain)
        return self.within(time, (time, time))

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return self.times[1:-1]

    @property
    def time_scale(self) -> float:
        return np.inf

    @property
    def domain(self) -> Interval:
        return self.times[0], self.times[-1]

    @abc.abstractmethod
    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        """The value on the piece that a stretch lies in."""

    def _piece(self, stretch: Interval) -> Array:
        """Which piece a stretch lies in."""
        middle = 0.5 * (stretch[0] + stretch[1])
        place = jnp.searchsorted(self.times, middle, side="right", method="compare_all") - 1
        return jnp.clip(place, 0, self.times.shape[0] - 2)


class PiecewiseLinear(AbstractThroughPoints):
    """Straight lines between points."""

    def __init__(self, times: Numbers, values: Numbers):
        super().__init__(times, values)

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        piece = self._piece(stretch)
        passed = (time - self.times[piece]) / jnp.diff(self.times)[piece]
        return (1.0 - passed) * self.values[piece] + passed * self.values[piece + 1]

    def slope(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        del time
        piece = self._piece(stretch)
        return jnp.diff(self.values)[piece] / jnp.diff(self.times)[piece]


class CubicSpline(AbstractThroughPoints):
    """The natural cubic spline through points: twice differentiable, straight at both ends."""

    def __init__(self, times: Numbers, values: Numbers):
        super().__init__(times, values)

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        piece, run = self._piece(stretch), jnp.diff(self.times)
        bend = self._bends()
        h = run[piece]
        left = (self.times[piece + 1] - time) / h
        right = 1.0 - left
        straight = left * self.values[piece] + right * self.values[piece + 1]
        curved = (left**3 - left) * bend[piece] + (right**3 - right) * bend[piece + 1]
        return straight + h**2 / 6.0 * curved

    def _bends(self) -> Float[Array, " nodes"]:
        """Second derivatives at the points."""
        run = jnp.diff(self.times)
        if run.shape[0] == 1:
            return jnp.zeros(2)
        rise = jnp.diff(self.values) / run
        matrix = lx.TridiagonalLinearOperator(
            (run[1:] + run[:-1]) / 3.0, run[1:-1] / 6, run[1:-1] / 6
        )
        inner = lx.linear_solve(matrix, jnp.diff(rise), lx.Tridiagonal()).value
        return jnp.pad(inner, 1)


class Fourier(AbstractProtocol):
    r"""$c + \sum_n [a_n \cos(2\pi n t/T) + b_n \sin(2\pi n t/T)]$, n from 1.

    **Arguments:** `constant`: c; `cosines`, `sines`: $a_n$ and $b_n$, as many of each; `period`: T.
    """

    constant: Float[Array, ""]
    cosines: Float[Array, " terms"]
    sines: Float[Array, " terms"]
    period: Float[Array, ""]
    held = ("period",)

    def __init__(self, constant: Numbers, cosines: Numbers, sines: Numbers, period: Numbers):
        self.constant = finite_array("constant", constant, ndim=0)
        self.cosines = finite_array("cosines", cosines, ndim=1)
        self.sines = finite_array("sines", sines, ndim=1)
        if self.sines.shape != self.cosines.shape:
            raise ValueError(
                f"`sines` must have as many entries as `cosines` ({self.cosines.shape[0]}), "
                f"but has {self.sines.shape[0]}."
            )
        self.period = _positive("period", period)

    def __call__(self, time: Time) -> Float[Array, ""]:
        turns = jnp.arange(1, self.cosines.shape[0] + 1) * (2.0 * jnp.pi / self.period) * time
        return self.constant + self.cosines @ jnp.cos(turns) + self.sines @ jnp.sin(turns)

    @property
    def time_scale(self) -> float | None:
        period, terms = concrete(self.period), self.cosines.shape[0]
        return None if is_traced(period) else float(period) / max(terms, 1)


class Smooth(AbstractProtocol):
    """Any smooth function of time, an `eqx.Module` where its parameters are to be differentiated.

    Other functions are compared by their code, and by the numbers that it reads.

    **Arguments:** `breaks`: times at which it jumps or bends, ascending, not negative; `width`: the
    shortest time in which it changes. `solve` samples a function that names a width, or no breaks,
    so that steps meet what changes fast (`entropax.sharpness`): at as many times as the width asks
    for; without one at 2^24 times where it is known beforehand, at 2^14 where a program traces it.
    """

    function: Callable[[Array], Array]
    given: Float[Array, " breaks"]
    width: float | None = eqx.field(static=True)
    held = ("given",)

    def __init__(
        self,
        function: Callable[[Array], Array],
        breaks: Numbers = (),
        width: float | None = None,
    ):
        self.function = as_pytree(function)
        self.given = _break_times(np.zeros(0) if np.size(breaks) == 0 else breaks)
        if width is not None and not (isinstance(width, int | float) and 0 < width < np.inf):
            raise ValueError(f"`width` must be a positive number, but is {width!r}.")
        self.width = width

    def __call__(self, time: Time) -> Float[Array, ""]:
        return jnp.asarray(self.function(time))

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return self.given

    @property
    def time_scale(self) -> float | None:
        return np.inf if self.width is None and self.given.shape[0] else self.width

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        return self(before_end(time, stretch) if self.given.shape[0] else time)

    def slope(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        instant = before_end(time, stretch) if self.given.shape[0] else time
        return jax.jvp(self, (instant,), (jnp.ones_like(time),))[1]


def before_end(time: Time, stretch: Interval) -> Time:
    """The time; if it is the end of a stretch, where a jump may be, a time just before it."""
    start, stop = stretch
    return jnp.minimum(time, jnp.where(stop > start, stop - _BEFORE * jnp.abs(stop), jnp.inf))


_BEFORE = 2.0**-50
"""How far `before_end` stays from the end, relative to it: a few units of rounding."""


ProtocolT = TypeVar("ProtocolT", bound=AbstractProtocol)


class Held(AbstractProtocol, Generic[ProtocolT]):
    """A protocol from time 0 to `duration`, held at `start` before and at `end` from then on.

    At both ends it may jump, which is where optimal protocols do.

    **Arguments:** `protocol`: an `AbstractProtocol` or any function of time, defined from 0 to
    `duration`; `start`, `end`: numbers, which stay where the rest is optimised.
    """

    protocol: ProtocolT
    start: Float[Array, ""]
    end: Float[Array, ""]
    duration: Float[Array, ""]
    held = ("start", "end", "duration")

    def __init__(
        self,
        protocol: ProtocolT | Callable[[Array], Any],
        start: Numbers,
        end: Numbers,
        duration: Numbers,
    ):
        self.protocol = cast(ProtocolT, as_protocol("protocol", protocol))
        self.start = finite_array("start", start, ndim=0)
        self.end = finite_array("end", end, ndim=0)
        length, domain = _positive("duration", duration), self.protocol.domain
        rule = "within the times at which `protocol` is defined"
        self.duration = check_against("duration", length, rule, lambda: covers(domain, length))

    def __call__(self, time: Time) -> Float[Array, ""]:
        return self.within(time, (time, time))

    @property
    def is_piecewise_constant(self) -> bool:
        return self.protocol.is_piecewise_constant

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return jnp.append(jnp.minimum(self.protocol.breaks, self.duration), self.duration)

    @property
    def marks(self) -> Float[Array, " marks"]:
        return self.protocol.marks

    @property
    def time_scale(self) -> float | None:
        return self.protocol.time_scale

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        middle = 0.5 * (stretch[0] + stretch[1])
        inside = self.protocol.within(jnp.clip(time, 0.0, self.duration), stretch)
        later = jnp.where(middle < self.duration, inside, self.end)
        return jnp.where(middle < 0.0, self.start, later)

    def slope(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        middle = 0.5 * (stretch[0] + stretch[1])
        inside = (middle >= 0.0) & (middle < self.duration)
        return jnp.where(inside, self.protocol.slope(time, stretch), 0.0)


class Bounded(AbstractProtocol):
    r"""$l + (h-l)/(1+e^{-x(t)})$: any protocol x, brought between two bounds at all times.

    **Arguments:** `protocol`: x, an `AbstractProtocol` or any function of time; `low`, `high`: l
    and h, which stay where the rest is optimised.
    """

    protocol: AbstractProtocol
    low: Float[Array, ""]
    high: Float[Array, ""]
    held = ("low", "high")

    def __init__(self, protocol: Callable[[Array], Any], low: Numbers, high: Numbers):
        self.protocol = as_protocol("protocol", protocol)
        self.low = finite_array("low", low, ndim=0)
        high = finite_array("high", high, ndim=0)
        self.high = check_against("high", high, "above `low`", lambda: high > self.low)

    def __call__(self, time: Time) -> Float[Array, ""]:
        return self._bring(self.protocol(time))

    @property
    def is_piecewise_constant(self) -> bool:
        return self.protocol.is_piecewise_constant

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return self.protocol.breaks

    @property
    def marks(self) -> Float[Array, " marks"]:
        return self.protocol.marks

    @property
    def domain(self) -> Interval:
        return self.protocol.domain

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        return self._bring(self.protocol.within(time, stretch))

    def slope(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        share = jax.nn.sigmoid(self.protocol.within(time, stretch))
        steepness = (self.high - self.low) * share * (1.0 - share)
        return steepness * self.protocol.slope(time, stretch)

    def _bring(self, x: Float[Array, ""]) -> Float[Array, ""]:
        return self.low + (self.high - self.low) * jax.nn.sigmoid(x)


class Periodic(AbstractProtocol):
    """A protocol from time 0 to `period`, so many `cycles` of it one after the other.

    Afterwards it stays where a cycle begins, and what jumps there jumps back at the end of each.

    **Arguments:** `protocol`: an `AbstractProtocol` or any function of time, defined from 0 to
    `period`; `cycles`: a positive integer.
    """

    protocol: AbstractProtocol
    period: Float[Array, ""]
    cycles: int = eqx.field(static=True)
    held = ("period",)

    def __init__(self, protocol: Callable[[Array], Any], period: Numbers, cycles: int):
        self.protocol = as_protocol("protocol", protocol)
        length, domain = _positive("period", period), self.protocol.domain
        rule = "within the times at which `protocol` is defined"
        self.period = check_against("period", length, rule, lambda: covers(domain, length))
        self.cycles = require_count("cycles", cycles)

    def __call__(self, time: Time) -> Float[Array, ""]:
        return self.within(time, (time, time))

    @property
    def is_piecewise_constant(self) -> bool:
        return self.protocol.is_piecewise_constant

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return self._repeated(jnp.append(self.protocol.breaks, self.period))

    @property
    def marks(self) -> Float[Array, " marks"]:
        return self._repeated(self.protocol.marks)

    @property
    def time_scale(self) -> float | None:
        return self.protocol.time_scale

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        place, inside, is_over = self._inside(time, stretch)
        value = jnp.where(
            is_over, self.protocol(jnp.zeros(())), self.protocol.within(place, inside)
        )
        is_before = stretch[0] + stretch[1] < 0.0
        return jnp.where(is_before, self.protocol.within(time, stretch), value)

    def slope(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        place, inside, is_over = self._inside(time, stretch)
        return jnp.where(is_over, 0.0, self.protocol.slope(place, inside))

    def _repeated(self, times: Float[Array, " some"]) -> Float[Array, " more"]:
        number = jnp.arange(self.cycles)[:, None]
        return (number * self.period + jnp.minimum(times, self.period)).ravel()

    def _inside(self, time: Time, stretch: Interval) -> tuple[Time, Interval, Array]:
        """The time in its own cycle, that cycle's stretch, and whether all cycles are over."""
        start, stop = stretch
        number = jax.lax.stop_gradient(jnp.floor(0.5 * (start + stop) / self.period))
        before = jnp.clip(number, 0, self.cycles - 1) * self.period
        place, first, last = (jnp.clip(x - before, 0.0, self.period) for x in (time, start, stop))
        return place, (first, last), number >= self.cycles


class Early(AbstractProtocol):
    r"""A protocol in a time that runs faster by a tiny part: $u(t(1+\epsilon))$."""

    protocol: AbstractProtocol
    by: float = eqx.field(static=True)

    def __call__(self, time: Time) -> Float[Array, ""]:
        return self.protocol(self._own(time))

    @property
    def is_piecewise_constant(self) -> bool:
        return self.protocol.is_piecewise_constant

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        return self.protocol.breaks / (1.0 + self.by)

    @property
    def marks(self) -> Float[Array, " marks"]:
        return self.protocol.marks

    @property
    def domain(self) -> Interval:
        first, last = self.protocol.domain
        return first / (1.0 + self.by), last / (1.0 + self.by)

    def within(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        start, stop = stretch
        return self.protocol.within(self._own(time), (self._own(start), self._own(stop)))

    def slope(self, time: Time, stretch: Interval) -> Float[Array, ""]:
        start, stop = stretch
        slope = self.protocol.slope(self._own(time), (self._own(start), self._own(stop)))
        return slope * (1.0 + self.by)

    def _own(self, time: Time) -> Time:
        return time * (1.0 + self.by)


def as_protocol(name: str, value: Any) -> AbstractProtocol:
    """`value` as a protocol: one, or a function of time that returns a number."""
    if isinstance(value, AbstractProtocol):
        return value
    if not callable(value):
        raise ValueError(f"`{name}` must be a function of time, but is {value!r}.")
    function: Any = value
    try:
        shape = eqx.filter_eval_shape(lambda t: jnp.asarray(function(t)), jnp.zeros(())).shape
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError) as error:
        raise ValueError(
            f"`{name}` must be written in jax.numpy, with `jnp.where` instead of `if`: it is "
            "compiled. For jumps take a PiecewiseConstant."
        ) from error
    if shape != ():
        raise ValueError(f"`{name}` must return a number at each time, but returns shape {shape}.")
    return Smooth(function)


@jax.jit
def covers(domain: Interval, last: Array) -> Array:
    """Whether a protocol is defined from 0 to all of the times."""
    # the end of a protocol may be a sum that rounding has taken apart from the time asked for
    first, end = domain
    return jnp.all((last <= end + 1e-12 * jnp.abs(end)) & (first <= 0.0))


def _break_times(times: Numbers) -> Float[Array, " times"]:
    array = finite_array("times", times, ndim=1)
    array = check("times", array, "non-negative", lambda xp, t: t >= 0)
    return check("times", array, "strictly ascending", lambda xp, t: xp.diff(t, prepend=-1.0) > 0)


def _positive(name: str, value: Numbers) -> Float[Array, ""]:
    return check(name, finite_array(name, value, ndim=0), "positive", lambda xp, x: x > 0)


def _nodes(duration: Numbers, pieces: int) -> Float[Array, " {pieces}+1"]:
    count = require_count("pieces", pieces)
    return _between(jnp.zeros(()), _positive("duration", duration), count)


def _line(start: Numbers, end: Numbers, pieces: int) -> Float[Array, " {pieces}+1"]:
    first, last = finite_array("start", start, ndim=0), finite_array("end", end, ndim=0)
    return _between(first, last, require_count("pieces", pieces))


@partial(jax.jit, static_argnames="pieces")
def _between(first: Array, last: Array, pieces: int) -> Float[Array, " {pieces}+1"]:
    return first + (last - first) * (jnp.arange(pieces + 1) / pieces)
