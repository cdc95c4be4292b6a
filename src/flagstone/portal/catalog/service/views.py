"""Saved views of the list: whoever saves one may share it; whoever sees it may use it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Denied, Invalid, NotFound
from flagstone.kernel.ids import new_id
from flagstone.portal.catalog.store import SavedView, ViewStore

__all__ = ["SavedView", "ViewService"]

_MAX_VIEWS = 100
_MAX_SHOWN = 200
_MAX_NAME = 60
_MAX_QUERY = 2_000
_KEPT = frozenset({"view", "q", "sort", "kind", "owner", "type", "lifecycle", "tag", "cols"})


class ViewService:
    """Use cases of saved views."""

    def __init__(self, store: ViewStore, *, now: Now = utc_now) -> None:
        self._store = store
        self._now = now

    def visible(self, principal: Principal) -> list[SavedView]:
        """One's own and the shared ones, by name."""
        return self._store.visible(principal.id, _MAX_SHOWN)

    def get(self, principal: Principal, view_id: str) -> SavedView:
        """A view that the principal may see. Raises NotFound (``catalog.no_view``)."""
        view = self._store.get(view_id)
        if view is None or not (view.shared or view.owner_id == principal.id):
            raise NotFound("catalog.no_view", f"There is no view {view_id}.", hint="It may have been removed.")
        return view

    def save(self, principal: Principal, name: str, query: str, *, shared: bool) -> SavedView:
        """Keep a list's address under a name; one's own view of the same name is replaced. Raises Invalid."""
        name = " ".join(name.split())
        if not name or len(name) > _MAX_NAME or not name.isprintable():
            hint = f"Give it a name of at most {_MAX_NAME} characters."
            raise Invalid("catalog.bad_view", "The view has no usable name.", hint=hint)
        kept = urlencode([(key, value) for key, value in parse_qsl(query.lstrip("?")) if key in _KEPT])
        if len(kept) > _MAX_QUERY:
            raise Invalid("catalog.bad_view", "The view has too many filters.", hint="Leave some of them out.")
        if self._store.count(principal.id) >= _MAX_VIEWS:
            raise Invalid("catalog.too_many_views", f"You have {_MAX_VIEWS} views.", hint="Remove one of them.")
        view = SavedView(new_id(), principal.id, principal.name, name, kept, shared, self._now())
        self._store.put(view)
        return view

    def delete(self, principal: Principal, view_id: str) -> None:
        """Remove one's own view. Raises NotFound, Denied."""
        view = self.get(principal, view_id)
        if view.owner_id != principal.id:
            raise Denied(
                "catalog.not_your_view", f"The view {view.name} is {view.owner_name}'s.", hint="Ask them to remove it."
            )
        self._store.delete(view.id)
