"""Run inventory: a plain consumer loop."""

import sqlite3
from threading import Event
from typing import Any

from kafka import KafkaConsumer, KafkaProducer

import otel_kit
from demo.faults import Fault, is_on
from demo.messaging import sync, topics
from demo.messaging.message import Message
from demo.runtime.lifecycle import log_to_stdout, ready, stop_requested
from demo.services.inventory import stock
from demo.services.inventory.handlers import handle
from demo.storage.database import open_database


def consume(database: sqlite3.Connection, producer: KafkaProducer, stop: Event) -> None:
    def answer(record: Any) -> None:
        reply = handle(database, Message.decode(record.value))
        sync.publish(producer, topics.REPLIES, reply)

    consumer = sync.consumer("inventory", topics.INVENTORY_COMMANDS, on_assigned=ready)
    while not stop.is_set():
        stall_if_told(consumer)
        for record in consumer:
            sync.deliver(record, producer, answer)
            consumer.commit()
            stall_if_told(consumer)
            if stop.is_set():
                break
    consumer.close()


def stall_if_told(consumer: KafkaConsumer) -> None:
    partitions = consumer.assignment()
    if is_on(Fault.CONSUMER_STALLED):
        consumer.pause(*partitions)
    else:
        consumer.resume(*partitions)


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
