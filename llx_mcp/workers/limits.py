"""What a worker may take from the machine, where the system has such limits."""

import sys

_SPARE_BYTES = 768 << 20
_TIMES_BODY = 12
_SPARE_SECONDS = 3


def limit_memory(body_bytes: int) -> None:
    """Bound the address space: what is taken now, a multiple of the body, and room for a query."""
    taken = _address_space()
    if taken is None:
        return
    import resource

    most = taken + _TIMES_BODY * body_bytes + _SPARE_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def limit_processor_time(seconds: float | None) -> None:
    """Bound the processor time from here on, so that a query ends even where its parent has; None lifts the bound."""
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    taken = usage.ru_utime + usage.ru_stime
    soft = hard if seconds is None else int(taken + seconds) + _SPARE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _address_space() -> int | None:
    if sys.platform != "linux":
        return None
    import resource

    with open("/proc/self/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[0]) * resource.getpagesize()
