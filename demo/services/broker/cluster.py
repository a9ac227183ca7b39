"""librdkafka's in-memory cluster.

confluent-kafka brings librdkafka along.  Its cluster is reached through the C functions of
``rdkafka_mock.h``, because only they can create topics and leave out the three seconds that
a new consumer group waits for more members.
"""

import ctypes
from collections.abc import Iterable

from confluent_kafka import cimpl

PRODUCER = 0
PARTITIONS = 4

_POINTER = ctypes.c_void_p
_FUNCTIONS = {
    "rd_kafka_conf_new": (_POINTER, []),
    "rd_kafka_conf_set": (
        ctypes.c_int,
        [_POINTER, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t],
    ),
    "rd_kafka_new": (_POINTER, [ctypes.c_int, _POINTER, ctypes.c_char_p, ctypes.c_size_t]),
    "rd_kafka_destroy": (None, [_POINTER]),
    "rd_kafka_mock_cluster_new": (_POINTER, [_POINTER, ctypes.c_int]),
    "rd_kafka_mock_cluster_destroy": (None, [_POINTER]),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, [_POINTER]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [_POINTER, ctypes.c_int32]),
    "rd_kafka_mock_topic_create": (
        ctypes.c_int,
        [_POINTER, ctypes.c_char_p, ctypes.c_int, ctypes.c_int],
    ),
}


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(cimpl.__file__)
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Cluster:
    """One broker on a free loopback port, until ``close``."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._lib = _library()
        self._client = self._new_client()
        self._cluster = self._lib.rd_kafka_mock_cluster_new(self._client, 1)
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        for topic in topics:
            self._lib.rd_kafka_mock_topic_create(self._cluster, topic.encode(), PARTITIONS, 1)

    @property
    def bootstrap_servers(self) -> str:
        return str(self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def close(self) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._client)

    def _new_client(self) -> int:
        why = ctypes.create_string_buffer(512)
        settings = self._lib.rd_kafka_conf_new()
        # The client only hosts the cluster; without this it warns that it has no broker itself.
        self._lib.rd_kafka_conf_set(settings, b"log_level", b"3", why, len(why))
        client = self._lib.rd_kafka_new(PRODUCER, settings, why, len(why))
        if not client:
            raise RuntimeError(f"librdkafka: {why.value.decode()}")
        return int(client)
