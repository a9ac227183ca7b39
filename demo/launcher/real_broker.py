"""A Kafka that somebody else runs."""

import logging
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from demo.launcher.exceptions import DemoError
from demo.messaging import topics

PARTITIONS: Final = 4
REPLICAS: Final = 1


async def create_topics(bootstrap_servers: str) -> None:
    """Create the demo's topics, unless they are there.

    Raises:
        DemoError: no broker answers, or it does not allow it.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # we say it in one sentence ourselves
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=5_000)
    try:
        await admin.start()
        wanted = [NewTopic(name, PARTITIONS, REPLICAS) for name in topics.ALL]
        answer = await admin.create_topics(wanted)
    except KafkaError as error:
        reason = f"no Kafka broker can be used at {bootstrap_servers} (KAFKA_BOOTSTRAP_SERVERS)"
        raise DemoError(f"{reason}: {error!r}") from error
    finally:
        await admin.close()
    for topic, code, *_ in answer.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise DemoError(f"topic {topic} could not be created: {for_code(code).__name__}")
