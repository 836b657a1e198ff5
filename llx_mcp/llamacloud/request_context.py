"""What a request is about, for the texts of its errors."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from llx_mcp.errors import excerpt
from llx_mcp.llamacloud.api_key import ApiKey
from llx_mcp.settings import EMBEDDED_URL

MAX_ID_CHARS = 80
MAX_QUOTE_CHARS = 160


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What a request is about.

    Attributes:
        job_id: the id as the caller gave it; None for a request that is not about a single job.
        region: `na`, `eu`, or the host of a self-hosted service.
        base_url: where the request goes.
        key: the key to send, and to remove from every text.
        subject: what a request is about that is about no job, such as `the document`; None for a job or a list of jobs.
        action: what a request besides reading does, such as `create jobs`; None for reading.
        needed: what such a request refers to, in words, such as `file "dfl-1"`; None where that is nothing.
        is_callers_key: whether the key is that of a caller over HTTP, who cannot change the settings of the server.
    """

    job_id: str | None
    region: str
    base_url: str
    key: ApiKey
    subject: str | None = None
    action: str | None = None
    needed: str | None = None
    is_callers_key: bool = False

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.base_url).netloc

    @property
    def is_llamacloud(self) -> bool:
        """Whether the request goes to LlamaCloud, rather than to a self-hosted service or the embedded API."""
        return self.region in ("na", "eu")

    @property
    def service(self) -> str:
        """What the service is called at the beginning of a sentence."""
        return "LlamaCloud" if self.is_llamacloud else "The service"

    @property
    def host_and_region(self) -> str:
        """The host, followed by its region where it has one."""
        return f"{self.host} ({self.region})" if self.is_llamacloud else self.host

    @property
    def place(self) -> str:
        """What to check if something may be elsewhere: the region, the address without regions, the store."""
        if self.base_url == EMBEDDED_URL:
            return "the store (--local-db)"
        return f"the region (now {self.region})" if self.is_llamacloud else f"the address (now {self.host})"

    @property
    def quoted_id(self) -> str:
        """The job's id in quotes, cleaned and shortened."""
        return f'"{self.clean(self.job_id or "", MAX_ID_CHARS)}"'

    def clean(self, text: str, max_chars: int = MAX_QUOTE_CHARS) -> str:
        """Return the start of an untrusted text on one line, without the key."""
        return clean(text, self.key, max_chars)


def clean(text: str, key: ApiKey, max_chars: int = MAX_QUOTE_CHARS) -> str:
    """Return the start of an untrusted text on one line, without a key."""
    return excerpt(key.redactor.redact(text), max_chars)
