"""Run inventory: a plain consumer loop."""

import sqlite3
import time
from threading import Event
from typing import Any

from kafka import KafkaProducer

import otel_kit
from demo.faults import Fault, is_on
from demo.messaging import sync, topics
from demo.messaging.message import Message
from demo.runtime.lifecycle import log_to_stdout, ready, stop_requested
from demo.services.inventory import stock
from demo.services.inventory.handlers import handle
from demo.storage.database import open_database

LOOK_AGAIN = 0.2
"""Seconds between two looks at the fault that stalls the consumer."""


def consume(database: sqlite3.Connection, producer: KafkaProducer, stop: Event) -> None:
    def answer(record: Any) -> None:
        reply = handle(database, Message.decode(record.value))
        sync.publish(producer, topics.REPLIES, reply)

    consumer = sync.consumer("inventory", topics.INVENTORY_COMMANDS, on_assigned=ready)
    while not stop.is_set():
        if is_on(Fault.CONSUMER_STALLED):
            time.sleep(LOOK_AGAIN)
            continue
        for record in consumer:
            sync.deliver(record, producer, answer)
            consumer.commit()
            if stop.is_set() or is_on(Fault.CONSUMER_STALLED):
                break
    consumer.close()


def main() -> None:
    stop = stop_requested()
    database = open_database("inventory", stock.SCHEMA)
    stock.fill(database)
    producer = sync.producer("inventory")
    consume(database, producer, stop)
    producer.close()


if __name__ == "__main__":
    kit = otel_kit.instrument("inventory")
    otel_kit.classify_as(otel_kit.ErrorClass.BUSINESS, stock.OutOfStock)
    log_to_stdout()
    main()
    kit.shutdown()
