"""What must stand in the environment before JAX starts, for this process and for its children."""

import hashlib
import os
import time
from importlib.metadata import version
from pathlib import Path

# Fewer passes of LLVM and XLA's older way to write loops compile faster. A jaxlib that does not
# know a flag ends the process: each is given only to versions that have it.
FLAGS = {"--xla_cpu_use_fusion_emitters=false": lambda jaxlib: jaxlib < (0, 10)}

DAYS_KEPT = 14


def prepare() -> None:
    """One thread for the linear algebra of each worker, quick compilation, programs kept on disk.

    What the environment already says is left as it is.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    jaxlib = tuple(int(part) for part in version("jaxlib").split(".")[:2])
    given = os.environ.get("XLA_FLAGS", "")
    wanted = [flag for flag, has in FLAGS.items() if has(jaxlib) and flag not in given]
    os.environ["XLA_FLAGS"] = " ".join(filter(None, [given, *wanted]))
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(default_cache()))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no word for each program found there


def default_cache() -> Path:
    """The user's cache folder; programs are those of one kind of processor."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "entropax-tests" / processor()


def processor() -> str:
    """A short name for what this machine's processor can do."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(features.encode()).hexdigest()[:12]


def forget_old_programs(folder: Path) -> None:
    """Delete what no run has written in `DAYS_KEPT` days."""
    oldest = time.time() - DAYS_KEPT * 86400
    for path in folder.glob("*"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
