"""A Kafka-protocol broker in memory, for a machine that has none."""
