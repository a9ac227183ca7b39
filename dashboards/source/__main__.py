"""Writes the dashboards: ``python -m dashboards.source``, or `make dashboards`."""

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.source import breakers, queues, sagas, services, telemetry
from dashboards.source.board import Board

FOLDER: Final = Path(__file__).parents[1]
BOARDS: Final = (services.BOARD, queues.BOARD, breakers.BOARD, sagas.BOARD, telemetry.BOARD)


def text(board: Board) -> str:
    """A dashboard as it is committed."""
    plain = json.loads(JSONEncoder().encode(board.build()))
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every dashboard to its file."""
    for board in BOARDS:
        (FOLDER / f"{board.file}.json").write_text(text(board), encoding="utf-8")


if __name__ == "__main__":
    main()
