"""Driven networks: exponentials of the Hamiltonian's mean over a step (Magnus)."""

from typing import Literal, cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from entropax._checks import whole
from entropax.linalg import Exponential, matfn
from entropax.method.base import Plan, require_model
from entropax.method.compositions import GAUSS_NODES
from entropax.method.fermions.network_exact import DenseView
from entropax.method.stepping import AbstractPropagator, AbstractSteppedMethod, Steps
from entropax.model import FermionNetwork
from entropax.state import AbstractFermionState, DenseState


class Magnus(AbstractSteppedMethod[DenseState]):
    r"""Driven networks of free fermions, $U = \prod_j e^{-iK_j}$ (Magnus 1954).

    Order 2: $K = h\,H(t+h/2)$; order 4 (Iserles, Norsett 1999), $H_{1,2}$ at Gauss' nodes:
    $K = \frac h2(H_1+H_2) + \frac{i\sqrt3}{12}h^2[H_1, H_2]$. Unitary at any step, and exact
    where nothing is driven; where steps do not resolve the driving, the first law does not close
    and `Solution.result` is `unresolved`; pulses are looked for beforehand (`entropax.sharpness`).

    **Arguments:** `steps`: between neighbouring times, rounded up to an even number; `order`: 2 or
    4, at about the same cost.

    Cost: an eigenproblem of all sites a step; memory of the gradient O(sites^2 sqrt(steps)) and
    some numbers a step. Derivatives forward and reverse in every number of the model and of its
    protocols.
    """

    states = AbstractFermionState

    steps: int = eqx.field(default=200, static=True, converter=whole)
    order: Literal[2, 4] = eqx.field(default=4, static=True)

    def require(self, model: eqx.Module) -> FermionNetwork:
        require_model(self, model, FermionNetwork, " (a driven Junction: SplitStep)")
        return cast(FermionNetwork, model)

    def propagator(self, model: FermionNetwork) -> "Exponentials":
        return Exponentials(model, self.order)

    def initial(self, plan: Plan[FermionNetwork, None]) -> DenseState:
        network = plan.model.before()
        return DenseView(network).initial(network)


class Exponentials(AbstractPropagator):
    """U of a network, carried by matrix exponentials."""

    network: FermionNetwork
    start: Inexact[Array, "sites sites"]
    view: DenseView
    order: int = eqx.field(static=True)

    def __init__(self, network: FermionNetwork, order: int):
        self.network, self.order = network, order
        self.start, self.view = network.initial_correlation, DenseView(network)

    @property
    def block(self) -> int:
        return 1

    def begin(self) -> Complex[Array, "sites sites"]:
        return jnp.eye(self.network.sites) + 0j

    def coefficients(self, steps: Steps) -> tuple[Array, Array]:
        """Lengths, and controls at the nodes."""
        nodes = (0.5,) if self.order == 2 else GAUSS_NODES
        return steps.length, steps.controls(self.network, nodes)

    def advance(
        self, x: Complex[Array, "sites sites"], coefficients: tuple[Array, Array]
    ) -> tuple[Complex[Array, "sites sites"], Float[Array, "steps controls"]]:
        def one(x: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            x = self._exponential(*step) @ x
            return x, self.forces(x)

        return jax.lax.scan(one, x, coefficients)

    def _exponential(
        self, length: Float[Array, ""], controls: Float[Array, "nodes controls"]
    ) -> Complex[Array, "sites sites"]:
        each = [self.network.with_controls(u).hamiltonian for u in controls]
        mean = sum(each[1:], each[0]) / len(each)
        if len(each) == 2:
            product = each[0] @ each[1]
            # the commutator of two Hermitian matrices is anti-Hermitian
            mean = mean + (1j * 3**0.5 / 12) * length * (product - product.conj().T)
        return matfn(Exponential(-1j * length), mean)

    def forces(self, x: Complex[Array, "sites sites"]) -> Float[Array, " controls"]:
        c = self.correlation(x)
        forces = [jnp.sum((drive.operator * c).real) for drive in self.network.drives]
        return jnp.stack(forces) if forces else jnp.zeros(0)

    def correlation(self, u: Complex[Array, "sites sites"]) -> Complex[Array, "sites sites"]:
        r"""$C = U^* C(0)\,U^T$."""
        return u.conj() @ self.start @ u.T

    def state(
        self, x: Complex[Array, "sites sites"], time: Float[Array, ""], work: Float[Array, ""]
    ) -> DenseState:
        return self.view.state(self.network.at(time), self.correlation(x), x, work)
