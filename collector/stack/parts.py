"""The parts: how each is made from its registry.  To add one: a function, and a line in `PARTS`."""

import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from collector.stack import cache, go, tools
from collector.stack.go import Progress

HERE: Final = Path(__file__).parents[1]
VERSIONS: Final[Mapping[str, Mapping[str, Any]]] = tomllib.loads(
    (HERE / "versions.toml").read_text()
)
_STRIPPED: Final = "-s -w"


@dataclass(frozen=True)
class Part:
    """One real part.

    `program` is what is run of it (of Kafka: the folder of its jars), `keep` what stays of the
    folder that `make` fills, `cold` how long that takes the first time.
    """

    name: str
    program: str
    keep: tuple[str, ...]
    needs: tuple[str, ...]
    cold: str
    make: Callable[[Path, Progress], None]

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {VERSIONS[self.name]['version']}"

    @property
    def folder(self) -> Path:
        """Where it is when it is complete."""
        return cache.root() / f"{self.name}-{VERSIONS[self.name]['version']}"

    @property
    def path(self) -> Path:
        """The program."""
        return self.folder / self.program

    def fetch(self, progress: Progress) -> None:
        """Make it, or go on with it; raises `tools.Failed`."""
        with cache.filled(self.folder, self.keep) as folder:
            self.make(folder, progress)


def _collector(folder: Path, progress: Progress) -> None:
    version = VERSIONS["collector"]["version"]
    progress("fetching the Collector's builder", 0, 0)
    builder = go.install("go.opentelemetry.io/collector/cmd/builder", version, folder)
    manifest = folder / "builder.yaml"
    manifest.write_text(_manifest())
    progress("fetching its modules", 0, 0)
    command = [str(builder), f"--config={manifest}", "--skip-compilation"]
    tools.run(command, folder, go.environment())
    go.build(folder / "otelcol", ["."], folder / "bin", progress, f"-ldflags={_STRIPPED}")


def _manifest() -> str:
    """`collector/builder.yaml` with the versions of `versions.toml`."""
    versions = VERSIONS["collector"]
    text = (HERE / "builder.yaml").read_text()
    return text.replace("VERSION", versions["version"]).replace("STABLE", versions["stable"])


def _jaeger(folder: Path, progress: Progress) -> None:
    progress("fetching its modules", 0, 0)
    versions = VERSIONS["jaeger"]
    sources = go.source("github.com/jaegertracing/jaeger", versions["module"], folder)
    stamp = "github.com/jaegertracing/jaeger/internal/version.latestVersion"
    flags = f"-ldflags={_STRIPPED} -X {stamp}=v{versions['version']}"
    go.build(sources, ["./cmd/jaeger"], folder, progress, flags)


def _prometheus(folder: Path, progress: Progress) -> None:
    progress("fetching its modules", 0, 0)
    versions = VERSIONS["prometheus"]
    sources = go.source("github.com/prometheus/prometheus", versions["module"], folder)
    stamp = f"github.com/prometheus/common/version.Version={versions['version']}"
    packages = ["./cmd/prometheus", "./cmd/promtool"]
    # Without the clouds' service discoveries, which are most of its code.
    flags = ["-tags=remove_all_sd,netgo", f"-ldflags={_STRIPPED} -X {stamp}"]
    go.build(sources, packages, folder, progress, *flags)


def _kafka(folder: Path, progress: Progress) -> None:
    progress("fetching its jars", 0, 0)
    shutil.rmtree(folder / "lib", ignore_errors=True)  # Maven keeps what is there, whole or not
    (folder / "pom.xml").write_text((HERE / "kafka" / "pom.xml").read_text())
    versions = VERSIONS["kafka"]
    tools.run(
        ["mvn", "--quiet", "--batch-mode", f"-Dkafka={versions['version']}",
         f"-Dlog4j={versions['log4j']}", "dependency:copy-dependencies",
         "-DincludeScope=runtime", "-DoutputDirectory=lib"],
        folder, go.environment(),
    )  # fmt: skip


PARTS: Final = (
    Part("kafka", "lib", ("lib",), ("java", "mvn"), "10 s", _kafka),
    Part("prometheus", "prometheus", ("prometheus", "promtool"), ("go",), "3 m", _prometheus),
    Part("collector", "bin/otelcol", ("bin",), ("go",), "5 m", _collector),
    Part("jaeger", "jaeger", ("jaeger",), ("go",), "8 m", _jaeger),
)
