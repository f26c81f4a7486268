"""An optimisation under way: a descent from one start, or from several at once."""

import dataclasses
import itertools
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from entropax.control.descent import Descent, Problem, Searched, Several
from entropax.control.run_store import RunStore


class Place(NamedTuple):
    """Where a descent stands: `x` and the optimiser's `state`; both at the last point at which all
    was finite, `sound`; the x of the `least` loss, `best`, and whether this run has `improved` on
    what it began with; the `steepest` slope, NaN where it has failed.

    Numbers of several starts have one leading axis more.
    """

    x: PyTree[Array]
    state: PyTree[Array]
    sound: tuple[PyTree[Array], PyTree[Array]]
    best: PyTree[Array]
    least: Float[Array, "*starts"]
    improved: Bool[Array, "*starts"]
    steepest: Float[Array, "*starts"]


@dataclasses.dataclass
class Run:
    """A descent, and the losses that it has come by; `earlier`: how many of them in another run;
    `failures`: what went wrong, by start.
    """

    problem: Problem
    descent: Descent
    place: Place
    losses: list[Float[np.ndarray, "*starts"]]
    earlier: int
    failures: list[str | None]

    @classmethod
    def begin(cls, problem: Problem, descent: Descent, x: PyTree[Array], *starts: int) -> Self:
        """From x; `starts`: how many, where x has an axis of them."""
        place = _place(x, descent.init(x), jnp.full(starts, jnp.inf))
        return cls(problem, descent, place, [], 0, [None] * (starts[0] if starts else 1))

    @classmethod
    def resume(
        cls,
        problem: Problem,
        descent: Descent,
        x: PyTree[Array],
        state: PyTree[Array],
        losses: Float[np.ndarray, " steps"],
        least: float,
    ) -> Self:
        """From where another ended, with its losses."""
        place = _place(x, state, jnp.asarray(least, float))
        return cls(problem, descent, place, list(losses), len(losses), [None])

    @property
    def taken(self) -> int:
        """Steps of this run."""
        return len(self.losses) - self.earlier

    @property
    def least(self) -> float:
        return float(jnp.nanmin(self.place.least))

    @property
    def has_failed(self) -> bool:
        """Whether no start can go on, as something went wrong in each."""
        return all(failure is not None for failure in self.failures)

    def has_converged(self, tolerance: float | None) -> bool:
        """Whether the slopes of a single start are below the tolerance."""
        return tolerance is not None and bool(self.place.steepest <= tolerance)

    def params(self, x: PyTree[Array]) -> Any:
        return self.problem.params(x)

    def step(self, tolerance: float | None) -> bool:
        """One step of every start that has neither failed nor converged; whether one goes on."""
        place = self.place
        goes_on = ~np.isnan(place.steepest)
        if tolerance is not None:
            goes_on &= ~(np.asarray(place.steepest) <= tolerance)
        if not goes_on.any():
            return False
        try:
            there, later, value, steepest = self.descent.step(self.problem, place.x, place.state)
            is_finite = np.isfinite(value) & np.isfinite(steepest)
            failing = goes_on & ~is_finite
            for number in np.flatnonzero(failing):
                self.failures[number] = self._fault(int(number), value, is_alone=failing.ndim == 0)
        except Exception as error:
            if not self.losses:
                raise
            self._fail(f"`loss` failed at step {len(self.losses)}: {_sentence(error)}", goes_on)
            return False
        sound = goes_on & is_finite
        if not self.losses and not sound.any():
            what = _what(np.ravel(value)[0])
            raise ValueError(f"`loss` must be finite at the start, but {what}.")
        better = sound & ~(np.asarray(place.least) <= value)
        moves = sound if tolerance is None else sound & ~(steepest <= tolerance)
        if sound.any():
            self.losses.append(np.where(sound, value, np.nan))
        x, state = _where(failing, place.sound, (place.x, place.state))
        x, state = _where(moves, (there, later), (x, state))
        self.place = Place(
            x,
            state,
            _where(sound, (place.x, place.state), place.sound),
            _where(better, place.x, place.best),
            jnp.where(better, value, place.least),
            place.improved | better,
            jnp.where(sound, steepest, jnp.where(failing, jnp.nan, place.steepest)),
        )
        return bool(moves.any())

    def _fault(self, number: int, value: np.ndarray, *, is_alone: bool) -> str | None:
        """What is wrong where a loss or its gradient is not finite."""
        step, x = len(self.losses), self.place.x
        x = x if is_alone else jax.tree.map(lambda leaf: leaf[number], x)
        try:  # outside of a program a loss says what is wrong
            self.problem.loss(self.params(x), *self.problem.args)
        except Exception as error:
            if is_alone:
                raise
            return f"`loss` failed at step {step}: {_sentence(error)}"
        return f"`loss` must be finite, but {_what(np.ravel(value)[number])} at step {step}."

    def _fail(self, message: str, goes_on: np.ndarray) -> None:
        """Nothing goes on from here."""
        place = self.place
        for number in np.flatnonzero(goes_on):
            self.failures[number] = message
        if isinstance(place.state, Searched) and np.isfinite(place.state.value):
            value = place.state.value  # of the point that the search began at
            self.losses.append(np.asarray(value))
            if not place.least <= value:
                place = place._replace(best=place.x, least=value, improved=jnp.array(True))
        x, state = _where(goes_on, place.sound, (place.x, place.state))
        self.place = place._replace(
            x=x, state=state, steepest=jnp.where(goes_on, jnp.nan, place.steepest)
        )

    def apart(self) -> "list[Run]":
        """A run for each start, to go on alone."""
        assert isinstance(self.descent, Several)
        losses, runs = np.array(self.losses), []
        for number, failure in enumerate(self.failures):
            place = jax.tree.map(lambda leaf, i=number: leaf[i], self.place)
            place = place._replace(state=self.descent.alone(place.x, place.state))
            history = losses[:, number]
            history = list(history[~np.isnan(history)])
            runs.append(Run(self.problem, self.descent, place, history, 0, [failure]))
        return runs

    def keep(self, store: RunStore, *, last: bool) -> None:
        """Write down where this run stands."""
        store.write(self.place, np.array(self.losses), self.failures, last=last)

    def go_on_from(self, store: RunStore) -> None:
        """From where a store stands, if something is kept there."""
        if (kept := store.read(self.place)) is not None:
            self.place, losses, self.failures = kept
            self.losses = list(losses)


def _place(x: PyTree[Array], state: PyTree[Array], least: Array) -> Place:
    has_improved, steepest = jnp.zeros(least.shape, bool), jnp.full(least.shape, jnp.inf)
    return Place(x, state, (x, state), x, least, has_improved, steepest)


@jax.jit
def _where(chosen: Bool[Array, "*starts"], one: PyTree[Array], other: PyTree[Array]) -> Any:
    """One tree or the other, for each start."""

    def choose(a: Array, b: Array) -> Array:
        return jnp.where(chosen.reshape(chosen.shape + (1,) * (a.ndim - chosen.ndim)), a, b)

    return jax.tree.map(choose, one, other)


def _what(value: float) -> str:
    return "has a gradient that is not" if np.isfinite(value) else f"is {value}"


def _sentence(error: Exception) -> str:
    """What an error says, without the stacks that a compiled program puts around it."""
    lines = (line.strip() for line in str(error).rsplit("RuntimeError: ")[-1].splitlines())
    message = list(
        itertools.takewhile(lambda line: not line.startswith(("---", "Traceback")), lines)
    )
    return " ".join(line for line in message if line) or type(error).__name__
