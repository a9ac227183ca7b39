"""The saga-trace explorer: where is this order, and why is it late?

Data flows one way: `source` reads records over HTTP, `model` makes of them what a view draws.
"""
