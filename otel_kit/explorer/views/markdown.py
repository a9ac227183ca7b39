"""The model's sentences, which hold `names` in backticks, as safe HTML or Markdown."""

import re
from html import escape
from typing import Final

_CODE: Final = re.compile(r"`([^`]*)`")


def inline_html(sentence: str) -> str:
    """Escaped, with what is in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(sentence))


def plain(text: str) -> str:
    """Text that was received, safe within Markdown: nothing in it has a meaning."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", text)
