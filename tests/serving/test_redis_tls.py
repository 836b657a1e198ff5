"""A Redis whose certificate another authority has signed is not used, and nothing but the polls shows it."""

import logging
from pathlib import Path
from typing import Any

import pytest

from llx_mcp.jobs.clock import SystemClock
from tests.jobs.service import Service
from tests.serving.redis_server import NEEDS_REDIS, SLOW_LEASE_SECONDS, joined_readers
from tests.serving.redis_setups import LEAVES_CONNECTIONS, PASSWORD, STARTS, make_certificates, one_server
from tests.serving.shared_waits import all_ended, until_degraded, wait_everywhere

pytestmark = [NEEDS_REDIS, LEAVES_CONNECTIONS]


@pytest.mark.parametrize("start", STARTS)
async def test_certificate_of_another_authority_is_refused(
    start: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(SystemClock())
    ids = [service.add(f"ext-{number}", 1) for number in range(3)]
    certificates, others = make_certificates(tmp_path), make_certificates(tmp_path, "another authority")
    with start(tmp_path, certificates) as address, caplog.at_level(logging.WARNING):
        url = f"{address}?ssl_ca_certs={others.authority}"
        async with joined_readers(service, url, 2, redis_lease_seconds=SLOW_LEASE_SECONDS) as replicas:
            for replica in replicas:
                await until_degraded(replica, degraded=True)
                assert (replica.replicas.check().status, replica.replicas.check().is_ready) == ("degraded", True)
            assert all(all_ended(progress) for progress in await wait_everywhere(replicas, *ids))
            assert all(replica.replicas.counts["recovered"] == 0 for replica in replicas)
    warnings = [record.getMessage() for record in caplog.records if record.name == "llx_mcp.serving.replicas"]
    assert len(warnings) == 2
    assert all("certificate verify failed" in text and "works alone" in text for text in warnings)
    assert PASSWORD not in caplog.text


async def test_authority_that_is_not_there_is_named_as_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(SystemClock())
    with one_server(tmp_path, make_certificates(tmp_path)) as url:
        async with joined_readers(service, f"{url}?ssl_ca_certs={tmp_path / 'missing.pem'}", 1) as (replica,):
            await until_degraded(replica, degraded=True)
    assert "No such file or directory" in caplog.text
    assert PASSWORD not in caplog.text
