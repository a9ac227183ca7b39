"""The real parts (Collector, Jaeger, Prometheus, Kafka), built from package registries.

Without Docker: ``make stack`` puts them into a cache outside the work tree, ``collector.stack.run``
starts them on loopback.
"""
