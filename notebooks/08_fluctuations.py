# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Fluctuations: entropy production as a random variable
#
# What a lead gains between two measurements, the law of entropy production, counted jumps, and the
# price of precision, all exactly and by gradient.
#
# Set `ENTROPAX_SMALL=1` in the environment for a quick look.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import entropax as ex

SMALL = bool(os.environ.get("ENTROPAX_SMALL"))
MODES = 12 if SMALL else 150

# %% [markdown]
# ## Particles that a lead gains
#
# Both measurements are of the lead's particle number; the law of its gain is a Fourier sum of
# $\langle e^{ux}\rangle = \det[1 - n + n\,e^{-ua}\,U^\dagger e^{ua} U]$ over imaginary u.


# %%
def junction(coupling):
    leads = [
        ex.Lead.flat(modes=MODES, width=10.0, coupling=coupling, beta=2.0, mu=mu)
        for mu in (1.0, -1.0)
    ]
    return ex.Junction(level=0.5, occupation=0.2, leads=leads)


ts = np.array([3.0, 12.0, 24.0])
count = ex.counting(junction(0.5), ts, "particles", bath=1)
law = count.distribution()
for time, p in zip(ts, law.probabilities, strict=True):
    plt.plot(law.values, p, "o-", ms=3, label=f"t = {time:g}")
plt.xlabel("particles gained by the right lead")
plt.ylabel("probability")
plt.xlim(-12, 18)
plt.legend(frameon=False)
plt.show()
print("mean", count.mean, "variance", count.variance)
print("third and fourth cumulants", count.cumulants(4)[2:])

# %% [markdown]
# ## Entropy production
#
# All occupations are measured at both times. The mean is the ledger's `entropy_production_fixed`,
# $\langle e^{-\sigma}\rangle = 1$, and a part of the law lies below zero.

# %%
produced = ex.counting(junction(0.5), ts, "entropy_production")
ledger = ex.solve(junction(0.5), ts).ledger
print("mean less the ledger's:", produced.mean - ledger.entropy_production_fixed)
print("<exp(-sigma)> - 1:", produced.generating(-1.0) - 1.0)
law = produced.distribution(width=0.3)
for time, p in zip(ts, law.density, strict=True):
    plt.semilogy(law.values, np.maximum(p, 1e-8), label=f"t = {time:g}")
plt.axvline(0.0, color="0.7", lw=0.8)
plt.xlabel(r"$\sigma$")
plt.ylabel("density, smoothed by 0.3")
plt.xlim(-8, 60)
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Jumps into ideal baths
#
# `steady_state` counts jumps: noise, higher cumulants, and how precise a current is beside what it
# costs. For rates between populations the product is never below 2.

# %%
lower = np.array([[0.0, 1.0], [0.0, 0.0]])


def dot(level, coupling=0.1):
    baths = [
        ex.ThermalBath(1.0, ex.FlatSpectrum(coupling), mu=mu, statistics="fermi")
        for mu in (0.5, -0.5)
    ]
    links = [ex.Coupling(lower, bath) for bath in baths]
    return ex.OpenSystem((0.0, level), links, ex.Product(system=0))


ness = ex.steady_state(dot(0.5), ex.Davies())
print("noise", ness.noise)
print("cumulants", ness.cumulants("particles", bath=1, order=4))
print(ness.uncertainty("particles", bath=1))
levels = jnp.linspace(-3.0, 3.0, 5 if SMALL else 61)
products = jax.vmap(
    lambda level: ex.steady_state(dot(level), ex.Davies()).uncertainty("particles", 1).thermodynamic
)(levels)
plt.plot(levels, products)
plt.axhline(2.0, color="0.6", ls=":")
plt.xlabel("level")
plt.ylabel(r"Var $\dot\Sigma$ / $J^2$")
plt.show()

# %% [markdown]
# ## Precision by gradient
#
# The variance of what flows, at a given mean, as a function of the coupling: one reverse sweep.


# %%
def relative_variance(coupling):
    gained = ex.counting(junction(coupling), jnp.array([12.0]), "particles", bath=1)
    return gained.variance[0] / gained.mean[0] ** 2


value, slope = jax.value_and_grad(relative_variance)(0.5)
print("Var / mean^2 =", value, "and its slope", slope)
