"""The one shape of a message: commands, replies and facts about an order."""

import json
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

import otel_kit

RESERVE_INVENTORY: Final = "ReserveInventory"
RELEASE_INVENTORY: Final = "ReleaseInventory"
CHARGE_PAYMENT: Final = "ChargePayment"

INVENTORY_RESERVED: Final = "InventoryReserved"
INVENTORY_REJECTED: Final = "InventoryRejected"
INVENTORY_RELEASED: Final = "InventoryReleased"
PAYMENT_CHARGED: Final = "PaymentCharged"
PAYMENT_DECLINED: Final = "PaymentDeclined"

ORDER_CREATED: Final = "OrderCreated"
ORDER_CONFIRMED: Final = "OrderConfirmed"
ORDER_FAILED: Final = "OrderFailed"


class MalformedMessage(ValueError):
    """The bytes are not a message; trying again cannot help."""


otel_kit.classify_as(otel_kit.ErrorClass.SERIALIZATION, MalformedMessage)


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Message:
    """One message; ``id`` is the same however often it is delivered."""

    type: str
    order_id: str
    data: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=_new_id)

    @property
    def key(self) -> bytes:
        """The Kafka key: messages of one order stay in order."""
        return self.order_id.encode()

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, value: bytes | None) -> Self:
        """Read a message.

        Raises:
            MalformedMessage: ``value`` was not written by ``encode``.
        """
        try:
            return cls(**json.loads(value or b""))
        except (ValueError, TypeError) as error:
            raise MalformedMessage(f"not a message: {error}") from error
