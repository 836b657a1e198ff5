"""Limits on the memory and the processor time of a worker, on systems that have them."""

import sys

# A decoded body takes several times its size.
_BODY_FACTOR = 12
_SPARE_BYTES = 768 << 20
_SPARE_SECONDS = 3


def limit_memory(body_bytes: int) -> None:
    """Limit the address space to its present size, a multiple of the body, and room for a query."""
    used_bytes = _get_address_space_bytes()
    if used_bytes is None:
        return
    import resource

    max_bytes = used_bytes + _BODY_FACTOR * body_bytes + _SPARE_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_cap(max_bytes, hard), hard))


def limit_processor_time(seconds: float) -> None:
    """Limit the processor time from now on, so that work ends even if the parent has ended."""
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    used_seconds = usage.ru_utime + usage.ru_stime
    soft = _cap(int(used_seconds + seconds) + _SPARE_SECONDS, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _cap(soft: int, hard: int) -> int:
    """Return a soft limit that the hard limit allows."""
    import resource

    return soft if hard == resource.RLIM_INFINITY else min(soft, hard)


def _get_address_space_bytes() -> int | None:
    if sys.platform != "linux":
        return None
    import resource

    with open("/proc/self/statm") as statm:  # noqa: PTH123 - a small file, read with the fewest imports
        return int(statm.read().split()[0]) * resource.getpagesize()
