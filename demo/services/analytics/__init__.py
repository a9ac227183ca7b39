"""Analytics: counts facts, many messages at a time."""
