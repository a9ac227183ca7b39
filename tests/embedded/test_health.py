"""/healthz, and what happens when the disk takes no writes."""

import os
import resource
import sys
from pathlib import Path

import pytest

from tests.embedded import build
from tests.embedded.running import PROTOBUF, Child, Client


def test_health_counts_what_is_stored(client: Client) -> None:
    """A healthy collector says how much it holds and how much it may hold."""
    client.send(build.traces([build.span(), build.span()]))
    health = client.get("/healthz").json()

    assert (health["status"], health["spans"], health["traces"]) == ("ok", 2, 2)
    assert 0 < health["size_bytes"] < health["max_size_bytes"]


@pytest.mark.skipif(sys.platform != "linux", reason="limits the file size of another process")
def test_a_full_disk_is_503_until_there_is_room_again(tmp_path: Path) -> None:
    """Without room nothing is acknowledged and health is 503; afterwards all goes on."""
    before = build.span()
    big = build.traces([build.span(attributes={"load": os.urandom(100_000).hex()})])
    with Child(tmp_path) as child:
        client, pid = child.client, child.process.pid
        client.send(build.traces([before]))
        unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, unlimited[1]))
        refused = client.post(big, big.SerializeToString(), PROTOBUF)
        failing = client.get("/healthz")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)

        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (failing.status_code, failing.json()["status"]) == (503, "failing")
        assert failing.json()["problem"]
        client.send(big)
        assert client.get("/healthz").status_code == 200
        assert client.get(f"/api/traces/{before.trace_id.hex()}").status_code == 200
