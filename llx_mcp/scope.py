"""Which jobs a request is about: the project and organization, and the filters of a list."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

# The statuses that the service documents. It may add others.
KnownStatus = Literal["PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
KNOWN_STATUSES: tuple[KnownStatus, ...] = get_args(KnownStatus)


@dataclass(frozen=True, slots=True)
class Scope:
    """The project and organization of a request, both UUIDs; None stands for the default of the key."""

    project_id: str | None = None
    organization_id: str | None = None


DEFAULT_SCOPE = Scope()


@dataclass(frozen=True, slots=True)
class JobFilter:
    """The filters of a list of jobs, and the page of it. What is empty or None does not filter.

    Attributes:
        job_ids: only these jobs.
        statuses: only jobs in one of these states.
        file_input: only jobs of this file or parse job.
        configuration_id: only jobs of this saved configuration.
        created_since: the first moment, inclusive; with a time zone.
        created_until: the last moment, inclusive; with a time zone.
        page_size: most jobs of a page; None leaves it to the service.
        page_token: token from the previous page; None for the first.
        expand: sections that each job of the page has.
    """

    job_ids: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    file_input: str | None = None
    configuration_id: str | None = None
    created_since: datetime | None = None
    created_until: datetime | None = None
    page_size: int | None = None
    page_token: str | None = None
    expand: tuple[str, ...] = ()
