"""Pages: one Jinja2 environment over the kit's and the slices' templates, and the rendering of a page dataclass.

Which templates exist is told by the composition root; what a page holds is the dataclass of the slice that renders it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, Template
from jinja2.environment import TemplateModule
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from flagstone.toolkit.web import charts, diff, highlight, text
from flagstone.toolkit.web.assets import asset_url
from flagstone.toolkit.web.chrome import Chrome
from flagstone.toolkit.web.filetree import file_tree
from flagstone.toolkit.web.icons import icon, icon_name
from flagstone.toolkit.web.markdown import inline_markdown

_KIT = "ui/kit.html"
TEMPLATE_DIR = Path(__file__).parent / "templates"

GLOBALS: Mapping[str, object] = {
    "icon": icon,
    "icon_name": icon_name,
    "asset_url": asset_url,
    "sparkline": charts.sparkline,
    "ring": charts.ring,
    "bars": charts.bars,
}
FILTERS: Mapping[str, Callable[..., object]] = {
    "age": text.age,
    "ago": text.ago,
    "attributes": text.attributes,
    "diff_counts": diff.counts,
    "duration": text.duration,
    "file_tree": file_tree,
    "filesize": text.filesize,
    "highlight": highlight.highlight,
    "highlight_file": highlight.highlight_file,
    "hue": text.hue,
    "initials": text.initials,
    "inline_markdown": inline_markdown,
    "plain": text.plain,
    "split_rows": diff.split_rows,
    "timestamp": text.timestamp,
}


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What an error page says: what happened, what to do, and an id that finds it in the server's log."""

    title: str
    detail: str
    status: int = 500
    hint: str | None = None
    code: str | None = None
    request_id: str | None = None


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of the page: not a boosted link, a history restore or a swap of the whole body."""
    headers = request.headers
    return (
        headers.get("hx-request") == "true"
        and headers.get("hx-boosted") != "true"
        and headers.get("hx-history-restore-request") != "true"
        and headers.get("hx-request-type") != "full"
    )


_chrome: ContextVar[Chrome | None] = ContextVar("flagstone_chrome", default=None)


class _CurrentChrome:
    """Stands for the chrome of whichever page is being made."""

    def __getattr__(self, name: str) -> object:
        return getattr(_chrome.get(), name)


class _Template(Template):
    """A template; the kit is made once, not for every part of every page that imports it."""

    _kit: TemplateModule | None = None

    def make_module(
        self,
        vars: dict[str, Any] | None = None,  # noqa: A002  the names are Jinja's
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> TemplateModule:
        """As Jinja's; of what surrounds it the kit looks at the chrome alone."""
        if self.name != _KIT:
            return super().make_module(vars, shared, locals)
        if self._kit is None:
            self._kit = super().make_module({"chrome": _CurrentChrome()})
        return self._kit


class Pages:
    """Renders pages. One per application.

    :param product: the product's name, shown when a request carries no :class:`Chrome`.
    :param template_dirs: slice name -> its ``templates/<slice>`` folder, so that ``"catalog/list.html"`` resolves.
    """

    def __init__(self, product: str, template_dirs: Mapping[str, Path]) -> None:
        self._product = product
        self._slices: dict[str, BaseLoader] = {name: FileSystemLoader(folder) for name, folder in template_dirs.items()}
        self.environment = Environment(
            loader=ChoiceLoader([PrefixLoader(self._slices), FileSystemLoader(TEMPLATE_DIR)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.environment.template_class = _Template
        self.environment.globals.update(GLOBALS)
        self.environment.filters.update(FILTERS)

    def add_templates(self, name: str, folder: Path) -> None:
        """Make the templates of one more slice or plugin known as ``"<name>/<file>"``."""
        self._slices[name] = FileSystemLoader(folder)

    def render(
        self,
        request: Request,
        template: str,
        page: object,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        fragment: str | None = None,
    ) -> HTMLResponse:
        """Render a page; the fields of the dataclass ``page`` become template variables.

        :param fragment: the template used instead when htmx asks for a part (see :func:`is_fragment`).
        :raises jinja2.TemplateError: if the template is missing, broken or uses an unknown variable.
        """
        name = fragment if fragment is not None and is_fragment(request) else template
        html = self.environment.get_template(name).render(self._variables(request, page))
        response = HTMLResponse(html, status_code=status, headers=dict(headers or {}))
        response.headers["Vary"] = "HX-Request"
        return response

    def error(self, request: Request, page: ErrorPage, *, headers: Mapping[str, str] | None = None) -> HTMLResponse:
        """Render an error: a whole page, or for htmx only an alert, because htmx swaps 4xx and 5xx answers in."""
        return self.render(
            request,
            "layout/error.html",
            page,
            status=page.status,
            headers=headers,
            fragment="layout/error_fragment.html",
        )

    def part(self, request: Request, template: str, values: Mapping[str, object]) -> Markup:
        """A piece to be put into a page, such as a card of a plugin; it sees what a page sees and ``values``.

        :raises jinja2.TemplateError: as :meth:`render`.
        """
        html = self.environment.get_template(template).render({**values, **self._surroundings(request)})
        return Markup(html)  # noqa: S704  the template escaped what is not markup

    def _variables(self, request: Request, page: object) -> dict[str, object]:
        if not is_dataclass(page) or isinstance(page, type):
            raise TypeError(f"a page is a dataclass instance, not {type(page).__name__}")
        values = {field.name: getattr(page, field.name) for field in fields(page)}
        return {**self._surroundings(request), **values}

    def _surroundings(self, request: Request) -> dict[str, object]:
        chrome = getattr(request.state, "chrome", None)
        if chrome is None:
            # Most requests never render a page, so what surrounds one is made only when it is needed.
            make = getattr(getattr(request.scope.get("app"), "state", None), "make_chrome", None)
            chrome = make(request) if make else Chrome(product=self._product)
            # A page has many parts, and each of them asks.
            request.state.chrome = chrome
        _chrome.set(chrome)
        return {"request": request, "chrome": chrome, "fragment": is_fragment(request)}
