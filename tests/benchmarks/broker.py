"""A Kafka broker in a process of its own: prints its address, and serves until its input ends.

librdkafka's in-memory cluster; EMPTY is to produce to, FULL has RECORDS records without headers.
"""

import sys
from typing import Final

import confluent_kafka

from tests.contract.harness.broker import Kafka

RECORDS: Final = 20_000


def main() -> None:
    """Fill a topic, say where."""
    broker = Kafka()
    empty, full = broker.topic(), broker.topic()
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})
    for _ in range(RECORDS):
        producer.produce(full, b'{"order": 7}')
        producer.poll(0)
    assert producer.flush(30) == 0
    print(f"{broker.bootstrap}/{empty}/{full}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
