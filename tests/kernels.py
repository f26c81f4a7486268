"""Run the tests marked `kernels` under each of OpenBLAS's kernels that this processor has.

Kernels of different processors round differently, which the sharpest tests notice first.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What each kernel executes. OpenBLAS obeys OPENBLAS_CORETYPE unasked: too new a kernel crashes.
NEEDS = {"Haswell": "avx2", "Zen": "avx2", "SkylakeX": "avx512f"}


def supported() -> list[str]:
    """The kernels that this processor runs; none where it is not one of the x86 family."""
    info = Path("/proc/cpuinfo")
    features = set(info.read_text().split()) if info.exists() else set()
    return [kernel for kernel, feature in NEEDS.items() if feature in features]


def run(kernel: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "kernels",
        "tests",
        "-p",
        "no:cacheprovider",
    ]
    environment = os.environ | {"OPENBLAS_CORETYPE": kernel}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def main() -> int:
    failed = False
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for kernel, done in zip(kernels := supported(), pool.map(run, kernels), strict=True):
            print(f"{kernel}: {done.stdout if done.returncode else done.stdout.splitlines()[-1]}")
            failed |= done.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
