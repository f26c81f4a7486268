"""What a few models of free fermions do, in closed form, with all derivatives."""

from typing import NamedTuple

import numpy as np

from twins import textbook

Array = np.ndarray


class Exact(NamedTuple):
    """A value and its derivative with respect to each named parameter."""

    value: float
    slope: dict[str, float]


def entropy_slope(n: float) -> float:
    """s'(n) = ln((1-n)/n)."""
    return float(np.log1p(-n) - np.log(n))


class Rabi(NamedTuple):
    """A level and one mode, or several of one energy, whose couplings act as their norm g.

    n_d(t) = n_d + (n - n_d) P, P = (4 g^2 / Omega^2) sin^2(Omega t/2), Omega^2 = D^2 + 4 g^2,
    with D the detuning level - mode and n the occupation of each mode.
    """

    level: float
    energy: float
    couplings: tuple[float, ...]
    occupation: float
    beta: float
    mu: float

    def system_occupation(self, t: float) -> Exact:
        g, detuning = float(np.linalg.norm(self.couplings)), self.level - self.energy
        omega = np.hypot(detuning, 2 * g)
        sine, cosine = np.sin(omega * t / 2), np.cos(omega * t / 2)
        ratio = 4 * g**2 / omega**2
        p = ratio * sine**2
        by_omega = -2 * p / omega + ratio * t * sine * cosine
        by_g = 2 * p / g + by_omega * 4 * g / omega
        by_detuning = by_omega * detuning / omega
        by_t = ratio * omega * sine * cosine
        x = self.beta * (self.energy - self.mu)
        n = float(textbook.occupations_of(np.array(x)))
        away = n - self.occupation
        by_x = -n * (1 - n) * p
        slope = {
            "level": away * by_detuning,
            "energy": -away * by_detuning + by_x * self.beta,
            "occupation": 1 - p,
            "beta": by_x * (self.energy - self.mu),
            "mu": -by_x * self.beta,
            "t": away * by_t,
        }
        slope |= {f"coupling {k}": away * by_g * c / g for k, c in enumerate(self.couplings)}
        return Exact(self.occupation + away * p, slope)

    def entropy_production(self, t: float) -> Exact:
        """Sigma = s(n_d(t)) - s(n_d) + K [s(N(t)/K) - s(n)]: all modes at one energy are alike."""
        modes = len(self.couplings)
        level = self.system_occupation(t)
        n = float(textbook.fermi(self.beta, self.mu, np.array(self.energy)))
        mean = n + (self.occupation - level.value) / modes
        before = textbook.binary_entropy(np.array([self.occupation, *[n] * modes])).sum()
        after = textbook.binary_entropy(np.array([level.value, *[mean] * modes])).sum()
        fall = n * (1 - n)
        by_n = {
            "energy": -fall * self.beta,
            "beta": -fall * (self.energy - self.mu),
            "mu": fall * self.beta,
        }
        slope = {}
        for name, dlevel in level.slope.items():
            dn, dstart = by_n.get(name, 0.0), float(name == "occupation")
            dmean = dn + (dstart - dlevel) / modes
            slope[name] = entropy_slope(level.value) * dlevel + modes * entropy_slope(mean) * dmean
            slope[name] -= entropy_slope(self.occupation) * dstart + modes * entropy_slope(n) * dn
        return Exact(float(after - before), slope)


def ring(sites: int, hopping: float, flux: float) -> Array:
    """h_{j+1,j} = J e^{i flux / n}: eigenvalues 2 J cos((2 pi m + flux) / n), m = 0 .. n-1."""
    h = np.zeros((sites, sites), complex)
    for j in range(sites):
        h[(j + 1) % sites, j] += hopping * np.exp(1j * flux / sites)
    return h + h.conj().T


class Ring(NamedTuple):
    """A ring threaded by a flux: n_j(t) = sum_l |U_jl|^2 n_l, U_jl a sum of plane waves."""

    hopping: float
    flux: float
    filling: tuple[float, ...]

    def h(self) -> Array:
        return ring(len(self.filling), self.hopping, self.flux)

    def by(self, parameter: str) -> Array:
        """The derivative of h."""
        h, n = self.h(), len(self.filling)
        if parameter == "hopping":
            return h / self.hopping
        upwards = np.roll(np.eye(n), 1, axis=0) * h
        return (1j / n) * (upwards - upwards.conj().T)

    def occupation(self, site: int, t: float) -> Exact:
        n = len(self.filling)
        k = (2 * np.pi * np.arange(n)) / n
        angle = k - self.flux / n
        waves = np.exp(-1j * k[None, :] * np.arange(n)[:, None]) / n  # of distance l - j
        turn = np.exp(-2j * self.hopping * np.cos(angle) * t)
        amplitude = waves @ turn
        by_energy = waves @ (-1j * t * turn * 2 * np.cos(angle))
        by_flux = waves @ (-1j * t * turn * 2 * self.hopping * np.sin(angle) / n)
        filling = np.roll(self.filling, -site)

        def change(d: Array) -> float:
            return float(2 * (amplitude.conj() * d).real @ filling)

        value = float(np.abs(amplitude) ** 2 @ filling)
        by_t = waves @ (-2j * self.hopping * np.cos(angle) * turn)
        slope = {"hopping": change(by_energy), "flux": change(by_flux), "t": change(by_t)}
        return Exact(value, slope)
