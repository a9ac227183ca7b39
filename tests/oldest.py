"""The contract on the oldest versions that the integrations support: `make oldest`.

An environment of them is made by uv, outside the work tree; which versions these are, the
integrations say.  Those that cannot stand beside the oldest of the others have one of their own.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from collector.stack import cache
from otel_kit.integrations import CATALOGUE, load

_ROOT: Final = Path(__file__).parent.parent
_UV: Final = Path(sys.executable).parent / "uv"
_DAY: Final = "2026-11-20"
"""What these versions need besides is as new as on this day, and so the same on every day."""
_TOOLS: Final = (
    "amqp",
    "flask-cors",
    "hypothesis",
    "moto",
    "opentelemetry-instrumentation-grpc",
    "packaging",
    "pytest",
    "pytest-asyncio",
    "pytest-randomly",
    "pytest-timeout",
    "pytest-xdist",
    "uvicorn",
)
"""What the tests need besides, as pinned."""
_CONSEQUENCES: Final = ("kombu<5.5", "werkzeug<3")
"""What old versions did not know that they cannot stand: Celery with redis-py 5.0, Flask 2.2."""
_APART: Final[Mapping[str, Sequence[str]]] = {"fastapi": ("starlette",)}
"""Libraries whose oldest version asks for another version of these than their oldest."""
_BESIDE: Final[Mapping[str, Sequence[str]]] = {
    "aioboto3>=15.5": ("aiobotocore", "boto3", "botocore"),
}
"""What stands on an integration's library, and says exactly on which version of which."""
_CORE: Final = " or ".join(
    (
        "continues",
        "carries_the_context",
        "is_a_child_of_the_callers",
        "an_error",
        "comes_again",
        "test_catalogue",
    )
)
"""Each library's hops in both directions, its errors, and that it is put back as it was."""


def main() -> int:
    """Run pytest, with the arguments that are given, in each environment."""
    parser = argparse.ArgumentParser(prog="python -m tests.oldest", description=__doc__)
    parser.add_argument("-k", default="", metavar="EXPRESSION", help="as pytest's")
    parser.add_argument("--core", action="store_true", help="one scenario of each kind")
    told, arguments = parser.parse_known_args()
    chosen = _CORE if told.core else told.k
    supported = {Requirement(load(name).supports).name: load(name).supports for name in CATALOGUE}
    newest = _pinned(_APART)
    together = [each for name, each in supported.items() if name not in _APART]
    worst = _run([*together, *newest], ["-k", chosen, *arguments])
    for library, others in _APART.items():
        kept = [each for name, each in supported.items() if name not in others]
        worst = max(worst, _run(kept, ["-k", f"{library} and ({chosen or library})", *arguments]))
    for requirement, others in _BESIDE.items():
        kept = [each for name, each in supported.items() if name not in others]
        only = f"{Requirement(requirement).name} and ({chosen or 'test'})"
        worst = max(worst, _run([*kept, requirement], ["-k", only, *arguments]))
    return worst


def _run(supported: Sequence[str], arguments: Sequence[str]) -> int:
    python = _python(supported)
    command = [str(python), "-m", "pytest", "tests/contract", "-p", "no:cacheprovider"]
    # The warnings are of versions that nobody mends any more.
    quiet = ["-o", "filterwarnings=", "-n", "2", "--dist", "loadgroup"]
    return subprocess.run([*command, *quiet, *arguments], cwd=_ROOT, check=False).returncode


def _python(supported: Sequence[str]) -> Path:
    """The interpreter of an environment, made if needed."""
    requirements = [*sorted(supported), *_own(), *_pinned(_TOOLS), *_CONSEQUENCES]
    about = "\n".join([sys.version, _DAY, *requirements])
    folder = cache.root() / f"oldest-{hashlib.sha256(about.encode()).hexdigest()[:12]}"
    if not (folder / "stamp").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--python", sys.executable, str(folder))
        _uv(
            "pip", "install", "--python", str(folder / "bin" / "python"),
            "--resolution", "lowest-direct", "--exclude-newer", _DAY, *requirements,
        )  # fmt: skip
        (folder / "stamp").touch()
    return folder / "bin" / "python"


def _own() -> list[str]:
    """The kit's own requirements: their oldest, too."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    return list(project["dependencies"])


def _pinned(names: Collection[str]) -> list[str]:
    lines = (_ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line.partition("==")[0] in names]


def _uv(*arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([str(_UV), arguments[0], "--quiet", *arguments[1:]], env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
