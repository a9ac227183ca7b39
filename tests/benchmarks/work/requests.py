"""A requests.Session over a real connection: to the sink, another process."""

import requests

from tests.benchmarks.work.base import Work


class Requests(Work):
    name = "requests"

    async def open(self) -> None:
        self._session = requests.Session()

    async def burst(self, count: int) -> None:
        for _ in range(count):
            assert self._session.get(f"{self.sink}/hop").status_code == 200

    async def close(self) -> None:
        self._session.close()


work = Requests
