"""Metric series: decoding, adding up, keeping the latest state, showing it to Prometheus."""
