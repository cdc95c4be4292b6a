"""A tiny application around the kit: the gallery, a palette, a picker, a log stream. Used by the browser tests."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from flagstone.toolkit.web.assets import StaticAssets
from flagstone.toolkit.web.chrome import Chrome, NavItem, Person
from flagstone.toolkit.web.gallery import gallery_page
from flagstone.toolkit.web.headers import HeadersMiddleware
from flagstone.toolkit.web.pages import ErrorPage, Pages

NAVIGATION = (
    (None, (NavItem("/", "Home", "house", "home"), NavItem("/catalog", "Catalog", "layout-list", "catalog"))),
    (
        "Build",
        (NavItem("/create", "Create", "circle-plus", "create"), NavItem("/runs", "Runs", "circle-play", "runs", 2)),
    ),
    ("Govern", (NavItem("/admin", "Admin", "settings", "admin"),)),
)
TEMPLATES = {
    "run.html": """{% extends "layout/base.html" %}{% import "ui/kit.html" as ui with context %}
{% block title %}Run{% endblock %}{% block crumbs %}{{ ui.crumb("Runs", "/runs") }}{{ ui.crumb("#1") }}{% endblock %}
{% block main %}{% call ui.page_head("Create billing") %}{{ ui.run_state("progress", "Running", "0 s") }}{% endcall %}
{{ ui.run_progress(0) }}{{ ui.run_log("/events" ~ query, steps, "/log.txt") }}{% endblock %}""",
    "list.html": """{% extends "layout/base.html" %}{% import "ui/kit.html" as ui with context %}
{% block title %}List{% endblock %}{% block main %}{{ ui.page_head("List") }}
{% call ui.filter_bar("/list") %}{{ ui.search_box(value=q) }}
{{ ui.facet("kind", "Kind", [("even", "Even", 20), ("odd", "Odd", 20)], kinds) }}{% endcall %}
<div id="rows">{% include "t/rows.html" %}</div>{% endblock %}""",
    "rows.html": """{% import "ui/kit.html" as ui with context %}
{{ ui.result_line(total, "thing", "things", total=40) }}{% call ui.table("Things") %}<thead><tr>{{ ui.th("Name", "name", "name") }}</tr></thead>
<tbody>{% include "t/more.html" %}</tbody>{% endcall %}""",
    "more.html": """{% import "ui/kit.html" as ui with context %}
{% for row in rows %}<tr><td>{{ ui.entity(row, "/things/" ~ row) }}</td></tr>{% endfor %}
{% if next %}{{ ui.more_row("/list?" ~ next, 1) }}{% endif %}""",
    "live.html": """{% extends "layout/base.html" %}{% import "ui/kit.html" as ui with context %}
{% block title %}Live{% endblock %}{% block main %}{{ ui.page_head("Live") }}{% include "t/ticking.html" %}
{% call ui.lazy("/slow") %}<p>waiting</p>{% endcall %}
<form id="save" method="post" action="/save" hx-post="/save" hx-swap="outerMorph">{{ ui.csrf() }}
{{ ui.form_errors(problems) }}{{ ui.text_field("Name", "name", name) }}{{ ui.submit("Save") }}</form>{% endblock %}""",
    "form.html": """{% import "ui/kit.html" as ui with context %}
<form id="save" method="post" action="/save" hx-post="/save" hx-swap="outerMorph">{{ ui.csrf() }}
{{ ui.form_errors(problems) }}{{ ui.text_field("Name", "name", name) }}{{ ui.submit("Save") }}</form>""",
    "ticking.html": """{% import "ui/kit.html" as ui with context %}
{% call ui.live("tick", "/tick", 1) %}<p>tick {{ count }}</p>{% endcall %}""",
    "plain.html": """{% extends "layout/base.html" %}{% import "ui/kit.html" as ui with context %}
{% block title %}{{ name }}{% endblock %}{% block main %}{{ ui.page_head(name) }}{% endblock %}""",
    "palette.html": """{% import "ui/kit.html" as ui with context %}{{ ui.palette_answers(q) }}{% call ui.palette_group("Catalog") %}
{% for name in names %}{{ ui.palette_option("/catalog/" ~ name, name, "server", "Component", loop.index0) }}{% endfor %}
{% endcall %}""",
    "options.html": """{% import "ui/kit.html" as ui with context %}
{% for name in names %}{{ ui.picker_option("group:default/" ~ name, name, "users", "Group") }}{% endfor %}""",
}
NAMES = ("payments", "platform", "checkout", "identity")


@dataclass(frozen=True)
class Names:
    names: tuple[str, ...]
    q: str = ""


@dataclass(frozen=True)
class Plain:
    name: str


@dataclass(frozen=True)
class RunPage:
    steps: tuple[tuple[str, str, str, str, str | None], ...]
    query: str


@dataclass(frozen=True)
class ListPage:
    q: str
    kinds: tuple[str, ...]
    rows: tuple[str, ...]
    total: int
    next: str


@dataclass(frozen=True)
class LivePage:
    count: int
    name: str = ""
    problems: tuple[tuple[str, str, str], ...] = ()


class GalleryApp:
    """The application and what it was asked."""

    def __init__(self, templates) -> None:
        for name, text in TEMPLATES.items():
            (templates / name).write_text(text)
        self.pages = Pages("Flagstone", {"t": templates})
        self.posted: list[dict[str, str]] = []
        self.resumed: list[str] = []
        self.theme = "system"
        self.ticks = 0
        self.asgi = Starlette(
            routes=[
                Route("/", self.gallery),
                Route("/_options", self.options, methods=["POST"]),
                Route("/_palette", self.palette),
                Route("/run", self.run),
                Route("/events", self.events),
                Route("/broken", self.broken),
                Route("/list", self.list),
                Route("/live", self.live),
                Route("/tick", self.tick),
                Route("/slow", self.slow),
                Route("/save", self.save, methods=["POST"]),
                Route("/{rest:path}", self.plain, methods=["GET", "POST"]),
            ],
            middleware=[Middleware(HeadersMiddleware)],
        )
        self.asgi.router.routes.insert(0, Mount("/static", StaticAssets()))

    def chrome(self, request: Request, active: str) -> None:
        request.state.chrome = Chrome(
            person=Person("Maya Lindt", "payments"),
            navigation=NAVIGATION,
            csrf_token="token-1",
            active=active,
            theme=self.theme,
        )

    async def gallery(self, request: Request) -> Response:
        self.chrome(request, "admin")
        return self.pages.render(request, "ui/gallery.html", gallery_page())

    async def plain(self, request: Request) -> Response:
        self.chrome(request, "")
        return self.pages.render(request, "t/plain.html", Plain(request.url.path))

    async def broken(self, request: Request) -> Response:
        self.chrome(request, "")
        page = ErrorPage("No entity acme", "It may have been renamed.", 404, "Search for it.", "catalog.unknown", "r-1")
        return self.pages.error(request, page)

    async def list(self, request: Request) -> Response:
        self.chrome(request, "catalog")
        query = request.query_params
        kinds = tuple(query.getlist("kind"))
        found = [
            f"thing-{number:02}" for number in range(40) if not kinds or ("odd" if number % 2 else "even") in kinds
        ]
        found = [name for name in found if query.get("q", "") in name]
        start = int(query.get("after", "0"))
        more = f"q={query.get('q', '')}&after={start + 15}" if start + 15 < len(found) else ""
        page = ListPage(query.get("q", ""), kinds, tuple(found[start : start + 15]), len(found), more)
        return self.pages.render(request, "t/list.html", page, fragment="t/more.html" if start else "t/rows.html")

    async def live(self, request: Request) -> Response:
        self.chrome(request, "")
        return self.pages.render(request, "t/live.html", LivePage(self.ticks))

    async def tick(self, request: Request) -> Response:
        self.ticks += 1
        return self.pages.render(request, "t/ticking.html", LivePage(self.ticks))

    async def slow(self, _request: Request) -> Response:
        return HTMLResponse("<p>arrived</p>")

    async def save(self, request: Request) -> Response:
        self.chrome(request, "")
        name = str((await request.form()).get("name", ""))
        self.posted.append({"name": name, "csrf": request.headers.get("x-csrf-token", "")})
        if name == "go":
            return HTMLResponse("", headers={"HX-Redirect": "/catalog"})
        problems = () if name else (("f-name", "Name", "is required"),)
        headers = {"HX-Trigger": json.dumps({"toast": {"message": "Saved", "tone": "ok"}})} if name else {}
        page = LivePage(0, name, problems)
        return self.pages.render(request, "t/form.html", page, status=422 if problems else 200, headers=headers)

    async def options(self, request: Request) -> HTMLResponse:
        form = {key: str(value) for key, value in (await request.form()).items()}
        self.posted.append({**form, "csrf": request.headers.get("x-csrf-token", "")})
        found = tuple(name for name in NAMES if form.get("q", "") in name)
        return self.pages.render(request, "t/options.html", Names(found))

    async def palette(self, request: Request) -> Response:
        wanted = request.query_params.get("q", "")
        return self.pages.render(
            request, "t/palette.html", Names(tuple(name for name in NAMES if wanted in name), wanted)
        )

    async def run(self, request: Request) -> Response:
        self.chrome(request, "runs")
        steps = (
            ("fetch", "Fetch", "fetch:template", "waiting", None),
            ("deploy", "Deploy", "deploy:start", "waiting", None),
        )
        query = f"?{request.url.query}" if request.url.query else ""
        return self.pages.render(request, "t/run.html", RunPage(steps, query))

    async def events(self, request: Request) -> Response:
        last = request.headers.get("last-event-id")
        if last is not None:
            self.resumed.append(last)
        count = int(request.query_params.get("lines", "40"))
        cut = int(request.query_params.get("cut", "0"))
        return StreamingResponse(
            self._stream(int(last or 0), count, cut),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    async def _stream(self, after: int, count: int, cut: int) -> AsyncIterator[str]:
        yield "retry: 200\n\n"
        yield _event("step", {"id": "fetch", "state": "running"})
        yield _event("state", {"state": "progress", "word": "Running", "elapsed": 0, "progress": 10})
        for number in range(after + 1, count + 1):
            if cut and after == 0 and number > cut:
                return
            text = "\x1b[32mpass\x1b[0m <b>not bold</b> line" if number % 10 == 0 else f"line {number}"
            step = "fetch" if number <= count // 2 else "deploy"
            yield _event("log", {"n": number, "step": step, "time": "14:02:11", "text": text}, number)
            if number % 1000 == 0:
                await asyncio.sleep(0)
        yield _event("step", {"id": "fetch", "state": "succeeded", "duration": "2.1 s"})
        yield _event("step", {"id": "deploy", "state": "failed", "duration": "1.0 s"})
        yield _event("state", {"state": "down", "word": "Failed", "progress": 100, "done": True})
        yield _event("end", {})
        await asyncio.sleep(0.2)


def _event(kind: str, data: dict[str, object], number: int | None = None) -> str:
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data)}\n\n"


@contextmanager
def serving(app: GalleryApp) -> Iterator[str]:
    """The application on a free port of this machine; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app.asgi, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(5)
