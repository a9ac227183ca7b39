"""What the folders promise, held by a machine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import otel_kit
from otel_kit.integrations import CATALOGUE

IMPORTED = "import sys; before = set(sys.modules); {}; print(*sorted(set(sys.modules) - before))"


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a statement imports in a fresh interpreter."""
    code = IMPORTED.format(statement)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_importing_the_kit_imports_no_instrumented_library() -> None:
    """A library that the user does not use costs nothing."""
    assert set() == modules_after("import otel_kit") & set(CATALOGUE.values())


def test_importing_the_kit_imports_nothing_but_opentelemetry_and_wrapt() -> None:
    """Outside the standard library the bare package needs no more."""
    imported = modules_after("import otel_kit") - set(sys.stdlib_module_names)
    allowed = {"otel_kit", "opentelemetry", "wrapt", "typing_extensions", "google", "_wrapt"}

    assert {name for name in imported if not name.startswith("_")} <= allowed


@pytest.mark.parametrize("module", ["otel_kit", "otel_kit.cli"])
def test_importing_warns_of_nothing(module: str) -> None:
    """Also where warnings are errors."""
    subprocess.run([sys.executable, "-W", "error", "-c", f"import {module}"], check=True)


def test_only_the_providers_and_the_test_helpers_know_the_sdk() -> None:
    """Everything else is written against OpenTelemetry's API."""
    package = Path(otel_kit.__file__).parent
    knowing = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if re.search(r"^\s*(from|import) opentelemetry\.(sdk|exporter)", path.read_text(), re.M)
    }

    assert {"_providers", "testing"} == knowing
