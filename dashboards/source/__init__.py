"""The code that writes the Grafana dashboards of this folder's parent; `make dashboards` runs it.

One module per dashboard; `metrics` has the names, `promql` the queries, `panels` the looks.
Nothing of this is installed: the JSON travels in the wheel.
"""
