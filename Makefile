# Every command of the project.  Needs Python 3.11 or newer and make; the rest is installed into .venv.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: help demo demo-stack test stack test-stack contract oldest bench bench-quick check format docs screenshots dashboards lock clean

help:
	@echo "make demo   run the whole thing here   (ARGS=\"--orders 20 --once\" places 20 orders and exits)"
	@echo "make demo-stack   the same on the real parts: Kafka, Collector, Jaeger, Prometheus"
	@echo "make test   every test that Python packages alone can serve   (ARGS=\"-k aiokafka\")"
	@echo "make stack  build the real Collector, Jaeger, Prometheus and Kafka into a cache (needs Go and Java)"
	@echo "make test-stack   the tests that need them"
	@echo "make contract   the contract suite against the kit and against OpenTelemetry's own, as a table"
	@echo "make oldest   the contract on the oldest versions that the kit supports   (ARGS=\"-k aiokafka\")"
	@echo "make bench  what a hop costs, peers side by side, about 15 minutes   (ARGS=\"--work asgi --subjects bare,contrib,otel_kit\")"
	@echo "make bench-quick   has a hop become dearer than recorded?   (ARGS=--record)"
	@echo "make check  ruff, mypy --strict, import-linter"
	@echo "make docs   write docs/settings.md and the table of docs/scaling.md from the code"
	@echo "make screenshots   take the README's pictures of the explorer from a demo (needs Chromium)"
	@echo "make dashboards   write dashboards/*.json from dashboards/source"
	@echo "make lock   pin the newest versions that fit together"

# The stamp makes a second run need no network.
.venv/stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "otel_kit needs Python 3.11 or newer: make PYTHON=python3.12"; exit 2; }
	@echo "setting up .venv (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[all]' --group dev
	@touch $@

demo: .venv/stamp
	@$(BIN)/python -m demo $(ARGS)

demo-stack: .venv/stamp
	@$(BIN)/python -m collector.stack
	@$(BIN)/python -m demo.stack $(ARGS)

test: .venv/stamp
	@$(BIN)/python -m tests.servers
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

stack: .venv/stamp
	@$(BIN)/python -m collector.stack $(ARGS)

test-stack: .venv/stamp
	@$(BIN)/python -m collector.stack
	$(BIN)/python -m pytest tests/stack --stack -n 2 --dist loadfile $(ARGS)

# In environments of their own, in a cache outside the work tree.
oldest: .venv/stamp
	@$(BIN)/python -m tests.oldest $(ARGS)

contract: .venv/stamp
	$(BIN)/python -m pytest tests/contract -n 2 -q -rfE --subject both $(ARGS)

# Each subject gets an environment of its own, in a cache outside the work tree.
bench: .venv/stamp
	@$(BIN)/python -m tests.benchmarks.run $(ARGS)

bench-quick: .venv/stamp
	@$(BIN)/python -m tests.benchmarks.quick $(ARGS)

check: .venv/stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/stamp
	@$(BIN)/python -m docs.write_settings
	@$(BIN)/python -m docs.write_scaling

screenshots: .venv/stamp
	@$(BIN)/python -m docs.take_screenshots

dashboards: .venv/stamp
	@$(BIN)/python -m dashboards.source

lock:
	$(BIN)/uv pip compile --quiet --upgrade --no-header --no-annotate --universal --python-version 3.11 --extra all --group dev pyproject.toml -o constraints.txt
	$(BIN)/uv --version | awk '{print "uv==" $$2}' >> constraints.txt

clean:
	rm -rf .venv build dist *.egg-info
