"""Mean and standard error, draw by draw, without keeping the draws."""

from typing import NamedTuple, Self

import numpy as np

from entropax.ensemble.store import Draws


class Moments(NamedTuple):
    r"""Number of draws, their mean and $\sum|x-\bar x|^2$, by name."""

    number: int
    mean: Draws
    spread: Draws

    @classmethod
    def none(cls) -> Self:
        return cls(0, {}, {})

    @classmethod
    def of(cls, draws: Draws) -> Self:
        """The moments of draws along the first axis of each array."""
        number = len(next(iter(draws.values())))
        if number == 0:
            return cls.none()
        # infinite values have a mean, but no spread
        with np.errstate(invalid="ignore"):
            mean = {name: x.mean(axis=0) for name, x in draws.items()}
            spread = {
                name: (np.abs(x.astype(mean[name].dtype) - mean[name]) ** 2).sum(axis=0)
                for name, x in draws.items()
            }
        return cls(number, mean, spread)

    def merged(self, more: Self) -> Self:
        """Moments of both together (Chan, Golub, LeVeque 1983); the order decides the rounding."""
        if 0 in (self.number, more.number):
            return self if more.number == 0 else more
        number = self.number + more.number
        mean, spread = {}, {}
        with np.errstate(invalid="ignore"):
            for name, here in self.mean.items():
                there = more.mean[name]
                away = np.where(there == here, 0.0, there - here)  # equal infinities too
                merged = here + away * (more.number / number)
                mean[name] = np.where(np.isinf(here) & np.isfinite(there), here, merged)
                between = np.abs(away) ** 2 * (self.number * more.number / number)
                spread[name] = self.spread[name] + more.spread[name] + between
        return type(self)(number, mean, spread)

    def error(self) -> Draws:
        r"""Standard error of the mean, $\sqrt{\sum|x-\bar x|^2/n(n-1)}$; NaN of a single draw."""
        n = self.number
        scale = n * (n - 1) if n > 1 else np.nan
        return {name: np.sqrt(x / scale) for name, x in self.spread.items()}
