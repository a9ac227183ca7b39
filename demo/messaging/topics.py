"""Topics: commands go to one service, replies come back to the orchestrator, facts are for all."""

from typing import Final

INVENTORY_COMMANDS: Final = "inventory.commands"
BILLING_COMMANDS: Final = "billing.commands"
REPLIES: Final = "orders.replies"
CREATED: Final = "orders.created"
OUTCOMES: Final = "orders.outcomes"

_DEAD_LETTERS: Final = ".dlq"


def dead_letters(topic: str) -> str:
    """Return the topic for messages of ``topic`` that could not be handled."""
    return topic + _DEAD_LETTERS


def holds_dead_letters(topic: str) -> bool:
    return topic.endswith(_DEAD_LETTERS)


_LIVE: Final = (INVENTORY_COMMANDS, BILLING_COMMANDS, REPLIES, CREATED, OUTCOMES)
ALL: Final = (*_LIVE, *map(dead_letters, _LIVE))
