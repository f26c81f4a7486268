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
# # The second law of a finite bath
#
# A spin is quenched back and forth while it exchanges energy with a bath of three energy windows.
# How much entropy is produced, of what is it made, and what does Clausius' inequality say when the
# bath has no temperature that lasts? The answers are those of Strasberg (2020) and of
# Riera-Campeny, Sanpera and Strasberg, PRX Quantum 2, 010340 (2021), section V.
#
# At the published size this takes about a minute. Set `ENTROPAX_SMALL=1` in the environment for a
# quick look.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import entropax as ex

SMALL = bool(os.environ.get("ENTROPAX_SMALL"))
SCALE = 0.1 if SMALL else 1.0
VOLUMES = [round(SCALE * v) for v in (100, 200, 400)]
STRENGTH = 3e-3 / SCALE**0.5

# %% [markdown]
# ## A driven model
#
# An energy may be a protocol. Jumps are exact, in `Schrodinger` and in the `EMME`, whether or not a
# time asked for falls on one.

# %%
flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])
splitting = ex.PiecewiseConstant(times=(120.0, 240.0, 360.0), values=(1.0, 2.0, 1.0, 2.0))
bath = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=VOLUMES, width=0.5)
link = ex.Coupling(flip, bath, STRENGTH, ex.RandomBands(variance=1.0))
start = ex.Product(system=1, windows=(0,))
model = ex.OpenSystem((0.0, splitting), (link,), start)
ts = jnp.linspace(0.0, 480.0, 121)
emme = ex.solve(model, ts, ex.EMME()).ledger
exact = ex.solve(model, ts, ex.Schrodinger(key=jax.random.key(0))).ledger

# %% [markdown]
# First law: the energy of everything changes by the work alone.

# %%
for name, led in (("EMME", emme), ("exact", exact)):
    residual = jnp.abs(led.total_energy - led.total_energy[0] - led.work)
    print(f"{name}: work {led.work[-1]:.4f}, first law closes to {residual.max():.1e}")

# %% [markdown]
# ## Clausius' chain
#
# With the effective temperature $T^*$ of the canonical state that has the bath's energy,
# $\Delta S_S - \int dQ/T^* \ge \Delta S_S + \Delta S_B \ge \Delta S_{obs} \ge 0$. The first gap is
# what the bath is out of equilibrium, the second the correlations that are ignored. $T^*$ starts
# at zero here: `beta` is infinite, and nothing breaks.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
axes[0].plot(ts, emme.clausius, "-.", label=r"$\Delta S_S - \int dQ/T^*$")
axes[0].plot(ts, emme.entropy_production_local, "--", label=r"$\Delta S_S + \Delta S_B$")
axes[0].plot(ts, emme.entropy_production, label=r"$\Delta S_{obs}$")
axes[0].plot(ts, exact.entropy_production, "k:", label=r"$\Delta S_{obs}$, exact")
axes[0].set(xlabel="t", ylabel="entropy (nats)")
axes[0].legend(frameon=False)
axes[1].plot(ts, 1.0 / emme.beta[:, 0], label="EMME")
axes[1].plot(ts, 1.0 / exact.beta[:, 0], "k:", label="exact")
axes[1].set(xlabel="t", ylabel=r"$T^*$")
axes[1].legend(frameon=False)
print("smallest rate of the EMME:", f"{emme.entropy_production_rate.min():.1e}")
print("smallest rate of the exact dynamics:", f"{exact.entropy_production_rate.min():.1e}")

# %% [markdown]
# ## What entropy production is made of
#
# An exact state has more to say. An `Observation` measures the system in a basis and the bath in
# windows; the observational entropy exceeds the von Neumann entropy of everything, which never
# changes, by terms that are not negative: coherences, what is not known of the bath's microstate,
# and correlations that the measurement does not see (Strasberg Eq. 22).

# %%
small = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(10, 20, 40), width=0.5)
observed = ex.OpenSystem(
    (0.0, 1.0),
    (ex.Coupling(flip, small, 0.02, ex.RandomBands(variance=1.0)),),
    ex.Product(system=[0.2, 0.8], beta=(1.0,)),
)
later = jnp.linspace(0.0, 100.0, 41)


def observe(windows):
    method = ex.Schrodinger(jax.random.key(1), observation=ex.Observation("energy", windows))
    return ex.solve(observed, later, method).ledger


led = observe([0.5])
terms = led.observed.terms
pieces = {
    "system, coherences": terms.system_coherence,
    "bath, coherences": terms.bath_coherence[:, 0],
    "microstate not known": terms.ignorance[:, 0],
    "correlations not seen": terms.correlation - terms.coarse_correlation,
}
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.stackplot(later, *pieces.values(), labels=pieces)
ax.plot(later, led.observed.entropy - led.observed.joint_entropy, "k--", label=r"$S_{obs} - S$")
ax.set(xlabel="t", ylabel="entropy (nats)")
ax.legend(frameon=False)

# %% [markdown]
# A canonical bath is not even inside a window: at the start the observational entropy is too large
# by a mismatch (Strasberg Eq. 16) that vanishes with the width.

# %%
for width in (0.5, 0.25, 0.1, 0.05):
    first = observe([width]).observed.terms_initial.ignorance[0]
    print(f"beta delta = {width:.2f}: mismatch {first:.2e}")

# %% [markdown]
# ## All identities at once

# %%
method = ex.Schrodinger(
    jax.random.key(1), mutual_information=True, observation=ex.Observation(windows=["levels"])
)
solution = ex.solve(observed, later, method)
for identity in ex.identities(observed, method, solution):
    print(f"{identity.name:30} {identity.source:20} {identity.relation:2} {identity.violation:.1e}")
