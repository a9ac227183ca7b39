"""The dashboards and Prometheus rules that come with the package, for `otel-kit export`.

A wheel has them in ``otel_kit/_bundled/``; in a checkout they are where they are written.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from otel_kit.exceptions import OtelKitError

KINDS: Final = {
    "dashboards": (("dashboards", "*.json"), ("dashboards", "provisioning/*/*.yaml")),
    "rules": (
        ("collector/prometheus", "prometheus.yaml"),
        ("collector/prometheus", "rules/*.yaml"),
        (".", "docs/runbook.md"),
    ),
}
"""What can be exported: folders, and patterns of the files in them."""


class CannotExport(OtelKitError):
    """The folder cannot be written."""


def export(kind: str, directory: Path) -> list[Path]:
    """Copy all files of a kind (see `KINDS`) to `directory`, over older ones; returns the copies.

    Raises:
        CannotExport: the folder cannot be made or written.
    """
    return [_copy(source, directory / path) for source, path in _files(kind)]


def _files(kind: str) -> Iterator[tuple[Path, Path]]:
    package = Path(__file__).parent
    root = package / "_bundled" if (package / "_bundled").is_dir() else package.parent
    for folder, pattern in KINDS[kind]:
        for source in sorted((root / folder).glob(pattern)):
            yield source, source.relative_to(root / folder)


def _copy(source: Path, target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        reason = error.strerror or error
        raise CannotExport(f"cannot write {target}: {reason}; choose another folder") from error
    return target
