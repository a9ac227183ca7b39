"""By which names HTTP clients may call."""

from pathlib import Path

import pytest

from tests.embedded.running import PROTOBUF, Child, Client, collector


def _statuses(client: Client, host: str) -> tuple[int, int]:
    """Of the query port and of the OTLP/HTTP port."""
    answer = client.http.get(f"{client.query_url}/api/services", headers={"host": host})
    received = client.post("traces", b"", {**PROTOBUF, "host": host})
    return answer.status_code, received.status_code


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:16686", "[::1]:4318", "[::1]", "10.0.0.7", ""]
)
def test_addresses_and_localhost_are_served(client: Client, host: str) -> None:
    """A client may call us by any address or as localhost, with any port."""
    assert _statuses(client, host) == (200, 200)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:16686", "127.0.0.1.evil.example", "localhost.", "[evil]"]
)
def test_foreign_names_are_refused_with_a_reason(client: Client, host: str) -> None:
    """A name that a web page could have pointed here is answered 403 on both HTTP ports."""
    assert _statuses(client, host) == (403, 403)

    answer = client.http.get(f"{client.query_url}/metrics", headers={"host": host})
    assert "--allowed-host" in answer.json()["error"]


def test_the_name_listened_on_is_served() -> None:
    """What --host says is a name of this machine, in any case."""
    with collector(host="LocalHost", allowed_hosts=("Collector",)) as client:
        assert _statuses(client, "localhost") == (200, 200)
        assert _statuses(client, "collector:4318") == (200, 200)
        assert _statuses(client, "other") == (403, 403)


def test_allowed_hosts_come_from_the_command_line(tmp_path: Path) -> None:
    """--allowed-host may be given several times."""
    with Child(tmp_path, "--allowed-host", "one", "--allowed-host", "two.example") as child:
        assert _statuses(child.client, "one") == (200, 200)
        assert _statuses(child.client, "two.example:80") == (200, 200)
        assert _statuses(child.client, "evil.example") == (403, 403)
