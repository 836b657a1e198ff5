"""Events of subscriptions, from each tenant to its own listeners."""

from collections.abc import Callable

from mcp.server.subscriptions import InMemorySubscriptionBus, ServerEvent

from llx_mcp.serving.tenants import get_current_tenant


class TenantBus:
    """A `SubscriptionBus` that carries an event only to listeners of the tenant that published it.

    Two keys may follow jobs with the same URI. Neither learns when the job of the other changes.
    """

    def __init__(self) -> None:
        # The bus of each tenant with listeners, and how many there are.
        self._buses: dict[str, InMemorySubscriptionBus] = {}
        self._num_listeners: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._buses)

    async def publish(self, event: ServerEvent) -> None:
        """Send an event to the listeners of the current tenant."""
        bus = self._buses.get(_current_name())
        if bus is not None:
            await bus.publish(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Add a listener of the current tenant; returns a function that removes it."""
        name = _current_name()
        remove = self._buses.setdefault(name, InMemorySubscriptionBus()).subscribe(listener)
        self._num_listeners[name] = self._num_listeners.get(name, 0) + 1
        is_removed = False

        def unsubscribe() -> None:
            nonlocal is_removed
            if is_removed:
                return
            is_removed = True
            remove()
            self._num_listeners[name] -= 1
            if not self._num_listeners[name]:
                del self._num_listeners[name], self._buses[name]

        return unsubscribe


def _current_name() -> str:
    tenant = get_current_tenant()
    return tenant.name if tenant is not None else ""
