"""Plain NumPy twins of the window models: written out, slow, and sharing no code with the library.

Indices run over (k, window or level of bath 1, of bath 2, ...), the last fastest.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.integrate
import scipy.linalg

Array = np.ndarray


def hamiltonian(system: Array, terms: Sequence[tuple], levels: Sequence[Array]) -> Array:
    """H of system and baths; `terms`: (strength, S, B, number of the bath)."""
    sizes = [len(e) for e in levels]
    h = np.kron(system, np.eye(int(np.prod(sizes)))).astype(complex)

    def beside(matrix: Array, number: int) -> Array:
        out = np.eye(1)
        for other, size in enumerate(sizes):
            out = np.kron(out, matrix if other == number else np.eye(size))
        return out

    for number, energies in enumerate(levels):
        h += np.kron(np.eye(len(system)), beside(np.diag(energies), number))
    for strength, operator, matrix, number in terms:
        h += strength * np.kron(operator, beside(matrix, number))
    return h


def evolve(h: Array, rho: Array, t: float) -> Array:
    """U rho U^dagger."""
    u = scipy.linalg.expm(-1j * h * t)
    return u @ rho @ u.conj().T


def entropy(rho: Array) -> float:
    p = np.linalg.eigvalsh(rho)
    p = p[p > 1e-300]
    return float(-np.sum(p * np.log(p)))


def exact(
    h: Array,
    rho: Array,
    times: Sequence[float],
    d: int,
    levels: Sequence[Array],
    where: list[Array],
) -> dict[str, Array]:
    """joint, system, energy and mutual information; `where`: window of each level, a bath each."""
    sizes = [len(e) for e in levels]
    shape = (d, *(int(w.max()) + 1 for w in where))
    out: dict[str, list] = {"joint": [], "system": [], "energy": [], "information": []}
    for t in times:
        now = evolve(h, rho, t)
        p = np.diagonal(now).real.reshape(d, *sizes)
        joint = np.zeros(shape)
        for index in np.ndindex(*p.shape):
            joint[(index[0], *(w[i] for w, i in zip(where, index[1:], strict=True)))] += p[index]
        out["joint"].append(joint)
        both = now.reshape(d, int(np.prod(sizes)), d, int(np.prod(sizes)))
        system, bath = np.einsum("ibjb->ij", both), np.einsum("aiaj->ij", both)
        out["system"].append(system)
        out["energy"].append(
            [
                np.sum(p * e.reshape([-1 if a == 1 + n else 1 for a in range(p.ndim)]))
                for n, e in enumerate(levels)
            ]
        )
        out["information"].append(entropy(system) + entropy(bath) - entropy(now))
    return {name: np.array(values) for name, values in out.items()}


def window_shape(offset: float) -> complex:
    """int_0^inf h e^{+i Omega tau}, by the printed formula (physics: Eq. B12 with its sign)."""
    x = abs(offset)

    def xln(y: float) -> float:
        return 0.0 if y == 0 else y * np.log(abs(y))

    imaginary = (2 * xln(x) - xln(1 + x) + xln(1 - x)) / (2 * np.pi)
    return max(1 - x, 0.0) / 2 - 1j * np.sign(offset) * imaginary


def memory_integral(offset: float, reduced: float) -> complex:
    """int_0^t h(tau) e^{i Omega tau} d tau by quadrature, x = delta tau."""

    def part(f: Callable) -> float:
        def integrand(x: float) -> float:
            return np.sinc(x / (2 * np.pi)) ** 2 / (2 * np.pi) * f(offset * x)

        return scipy.integrate.quad(integrand, 0, reduced, limit=2000, epsabs=1e-12)[0]

    return part(np.cos) + 1j * part(np.sin)


class Written:
    """The master equation written out as a matrix on all entries of all rho(E)."""

    def __init__(
        self,
        energies: Array,
        terms: Sequence[tuple],
        centers: Sequence[Array],
        volumes: Sequence[Array],
        widths: Sequence[float],
    ) -> None:
        """`terms`: (strength, S, number of the bath)."""
        self.energies, self.terms = energies, terms
        self.centers, self.volumes, self.widths = centers, volumes, widths
        self.shape = (len(energies), len(energies), *(len(c) for c in centers))

    def generator(
        self,
        products: Callable[[int, int], Array],
        averages: Callable[[int], Array],
        *,
        shape: Callable[[float], complex] = window_shape,
        secular: bool = True,
    ) -> Array:
        """d vec(rho) / dt. `products(a, b)`: <B_b^* B_a> over windows; `averages(a)`: <B_a>_E."""
        total = np.zeros(self.shape * 2, complex)
        self._add_commutators(total, averages, secular)
        for a, (la, sa, na) in enumerate(self.terms):
            for b, (lb, sb, nb) in enumerate(self.terms):
                if na != nb:
                    continue
                self._add_pair(
                    total,
                    la * lb,
                    self._frequencies(sa),
                    self._frequencies(sb),
                    na,
                    products(a, b),
                    shape,
                    secular,
                )
        size = int(np.prod(self.shape))
        return total.reshape(size, size)

    def _frequencies(self, operator: Array) -> dict[float, Array]:
        """S_omega, keyed by omega = eps_q - eps_k."""
        found: dict[float, Array] = {}
        for k, q in np.ndindex(*operator.shape):
            omega = round(float(self.energies[q] - self.energies[k]), 9)
            part = found.setdefault(omega, np.zeros_like(operator, dtype=complex))
            part[k, q] = operator[k, q]
        return found

    def _add_commutators(self, total, averages, secular) -> None:
        """-i [H + shifts(E), rho(E)]."""
        identity = np.eye(len(self.energies))
        same = np.abs(self.energies[:, None] - self.energies[None, :]) < 1e-9
        for windows in np.ndindex(*self.shape[2:]):
            own = np.diag(self.energies).astype(complex)
            for a, (strength, operator, number) in enumerate(self.terms):
                shift = strength * averages(a)[windows[number]] * operator
                own = own + (shift * same if secular else shift)
            block = _block(total, windows, windows)
            block += -1j * (_both_sides(own, identity) - _both_sides(identity, own))

    def _add_pair(self, total, scale, parts_a, parts_b, number, product, shape, secular) -> None:
        """Jumps from window F to E of one bath, and what is lost from F, for two couplings."""
        delta, volume, center = self.widths[number], self.volumes[number], self.centers[number]
        identity = np.eye(len(self.energies))
        for w, s in parts_a.items():
            for v, r in parts_b.items():
                if secular and abs(w - v) > 1e-8:
                    continue
                if not (s.any() and r.any()):
                    continue
                for e, f in np.ndindex(len(center), len(center)):
                    # into E from F
                    rate = 2 * np.pi / delta * scale * product[e, f] * volume[e]
                    rate *= shape((center[e] - center[f] - v) / delta)
                    if rate == 0.0:
                        continue
                    gain = rate * _both_sides(s, r.conj().T)
                    gain = gain + np.conj(rate) * _both_sides(r, s.conj().T)
                    lost = rate * _both_sides(identity, r.conj().T @ s)
                    lost = lost + np.conj(rate) * _both_sides(s.conj().T @ r, identity)
                    for windows in np.ndindex(*self.shape[2:]):
                        if windows[number] != f:
                            continue
                        _block(total, _with(windows, number, e), windows)[:] += gain
                        _block(total, windows, windows)[:] -= lost


def _both_sides(left: Array, right: Array) -> Array:
    """The map rho -> left rho right, indices [k, l, q, p]."""
    return np.einsum("kq,pl->klqp", left, right)


def _block(total: Array, windows: tuple, others: tuple) -> Array:
    """A view of what leads from rho(`others`) to rho(`windows`)."""
    free = (slice(None), slice(None))
    return total[(*free, *windows, *free, *others)]


def _with(windows: tuple, number: int, f: int) -> tuple:
    return (*windows[:number], f, *windows[number + 1 :])


def runge_kutta(
    field: Callable[[float, Array], Array], y: Array, ts: Sequence[float] | Array, step: float
) -> list[Array]:
    """y at ascending times, by the classical rule of order 4."""
    now, states = 0.0, []
    for t in ts:
        while now < t - 1e-9:
            a = field(now, y)
            b = field(now + step / 2, y + step / 2 * a)
            c = field(now + step / 2, y + step / 2 * b)
            d = field(now + step, y + step * c)
            y, now = y + step / 6 * (a + 2 * b + 2 * c + d), now + step
        states.append(y)
    return states
