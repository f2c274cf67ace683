"""How many files, and so connections, a process may have open."""

import resource

from wsgateway.bench.shape import BenchError


def raise_files(needed: int) -> None:
    """Raise the soft limit on open files for this process and those it starts.

    Args:
        needed: by the process that needs most.

    Raises:
        BenchError: the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise BenchError(f"{needed:,} open files are needed, {hard:,} allowed: see ulimit -Hn")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
