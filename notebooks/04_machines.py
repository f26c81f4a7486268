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
# # Machines between ideal baths
#
# Baths that stay thermal for ever: rates, steady states, what flows in them, what they cost in
# entropy, and how couplings should be chosen. `entropax.machines` has seven models; any other is
# an `OpenSystem` with `ThermalBath`s.
#
# Set `ENTROPAX_SMALL=1` in the environment for a quick look.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import entropax as ex

SMALL = bool(os.environ.get("ENTROPAX_SMALL"))

# %% [markdown]
# ## A qubit between two baths
#
# The model says what is there, the method how it is treated. The steady state comes from a linear
# solve, not from a long integration.

# %%
sx = jnp.array([[0.0, 1.0], [1.0, 0.0]])
hot = ex.ThermalBath(beta=1 / 3, spectrum=ex.FlatSpectrum(0.3))
cold = ex.ThermalBath(beta=2.0, spectrum=ex.FlatSpectrum(0.7))
qubit = ex.OpenSystem(
    energies=(0.0, 1.0),
    couplings=(ex.Coupling(sx, hot), ex.Coupling(sx, cold)),
    start=ex.Product(system=jnp.array([[0.5, 0.4], [0.4, 0.5]])),
)
ness = ex.steady_state(qubit, ex.Davies())
print("heat currents          ", ness.heat_currents)
print("entropy production rate", ness.entropy_production_rate)

# %% [markdown]
# On the way there the rate has parts: what it costs to reach the steady state (non-adiabatic) and
# to keep it (housekeeping); what populations produce, and what the decay of coherence does.

# %%
ts = jnp.linspace(0.0, 6.0, 40)
ledger = ex.solve(qubit, ts, ex.Davies()).ledger
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
for name in ("entropy_production_rate", "nonadiabatic_rate", "housekeeping_rate"):
    axes[0].plot(ts, getattr(ledger, name), label=name.replace("_", " "))
for name in ("entropy_production_rate", "population_rate", "coherence_rate"):
    axes[1].plot(ts, getattr(ledger, name), label=name.replace("_", " "))
for ax in axes:
    ax.legend(frameon=False, fontsize=8)
    ax.set_xlabel("t")
parts = ledger.population_rate + ledger.coherence_rate - ledger.entropy_production_rate
print("population and coherence parts add up to", float(jnp.max(jnp.abs(parts))))
plt.show()

# %% [markdown]
# ## A thousand machines at once
#
# A refrigerator of three qubits, for a thousand temperatures of its heat source in one call.

# %%
sources = jnp.linspace(1.6, 12.0, 50 if SMALL else 1000)


def cooling(temperature):
    model = ex.machines.absorption_refrigerator(temperatures=(1.0, temperature, 1.5))
    return ex.steady_state(model, ex.Davies(), throw=False).heat_currents


currents = jax.jit(jax.vmap(cooling))(sources)
figure, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
ax.plot(sources, currents, label=("cold", "hot", "room"))
ax.axhline(0.0, color="0.7", lw=0.8)
ax.set(xlabel="temperature of the source", ylabel="heat current into the system")
ax.legend(frameon=False)
print("cools from a source of", float(sources[jnp.argmax(currents[:, 0] > 0)]))
plt.show()

# %% [markdown]
# ## Which equation?
#
# `Local` takes the jumps of each site alone. For coupled sites that may go wrong, and `audit` says
# so, with the remedy.

# %%
for method in (ex.Local(), ex.Davies()):
    print(type(method).__name__)
    for finding in ex.audit(ex.machines.heat_valve(), method):
        print("  ", finding)

# %% [markdown]
# ## More power, by gradient
#
# The power of a three-level engine as a function of its cold gap, its drive and its rates: the
# derivative follows from the implicit function theorem, and any optimiser can use it.

# %%


def loss(logs):
    gap, drive = jnp.exp(logs)
    model = ex.machines.three_level_engine(gaps=(3.0, gap), drive=drive)
    return ex.steady_state(model, ex.Local(), throw=False).power  # negative where it is drawn


step = jax.jit(jax.value_and_grad(loss))
logs, optimiser = jnp.log(jnp.array([0.6, 0.02])), optax.adam(0.1)
state, history = optimiser.init(logs), []
for _ in range(20 if SMALL else 150):
    value, slope = step(logs)
    change, state = optimiser.update(slope, state)
    logs = optax.apply_updates(logs, change)
    history.append(float(value))
print(f"power {-history[0]:.5f} -> {-history[-1]:.5f} at gap, drive =", np.asarray(jnp.exp(logs)))

# %% [markdown]
# ## Erasing a bit
#
# A driven level: heat against Landauer's bound, for a straight ramp of the gap.

# %%
for duration in (5.0, 20.0, 80.0):
    model = ex.machines.erasure(duration=duration)
    final = ex.solve(model, [duration], ex.Davies(housekeeping=False)).ledger
    heat, bound = float(-final.heat[0, 0]), float(final.landauer_bound[0, 0])
    excess = (heat - bound) * duration
    print(f"t = {duration:4g}: heat {heat:.4f}, bound {bound:.4f}, excess x t {excess:.3f}")
