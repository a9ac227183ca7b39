"""Writes docs/settings.md from what `otel_kit.settings` declares: `make docs`."""

from pathlib import Path

from otel_kit.settings import options

_HEAD = """# Settings

Written by `make docs` from `otel_kit/settings.py`.

The environment rules over the code: whoever runs a service can change what its author wrote.
An empty variable counts as not set.
A value that is not allowed is refused at start-up, with one sentence that names the variable.

| variable | allowed | default | meaning |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = (
        (
            f"`{each.variable}`",
            each.value.allowed,
            each.default and f"`{each.default}`",
            each.meaning,
        )
        for each in options()
    )
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    Path(__file__).with_name("settings.md").write_text(page())
