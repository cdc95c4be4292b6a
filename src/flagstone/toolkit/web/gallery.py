"""The data of the gallery: every component of the kit in every state, with fictional content.

The page is ``ui/gallery.html``; it is also what the accessibility tests look at. A new macro gets a place here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flagstone.kernel.clock import utc_now
from flagstone.toolkit.web.diff import DiffLine, diff_lines
from flagstone.toolkit.web.filetree import FileEntry
from flagstone.toolkit.web.graph import GraphDrawing, GraphEdge, GraphNode, to_svg
from flagstone.toolkit.web.markdown import MarkdownDocument, read_markdown

_OLD = """name: billing
replicas: 2
image: acme/billing:1.3.0
resources:
  memory: 256Mi
probe: /healthz
port: 8080
"""
_NEW = """name: billing
replicas: 3
image: acme/billing:1.4.0
resources:
  memory: 256Mi
probe: /readyz
port: 8080
owner: payments
"""
_PYTHON = '''"""Answers health checks."""

from acme.web import app


@app.get("/healthz")
def healthz() -> dict[str, bool]:
    return {"ok": True}  # no database is touched here
'''
_MARKDOWN = """Charges customers and writes **invoices**. See [the runbook](runbook.md) or <https://example.com/billing>.

!!! warning "Before you deploy"
    Run the migration first.

!!! tip
    `make smoke` takes ten seconds.

??? note "Why two queues?"
    One for charges, one for refunds.

=== "Python"
    ```python
    client.charge(invoice, amount=1200)
    ```

=== "curl"
    ```bash
    curl -X POST $HOST/charges -d '{"amount": 1200}'
    ```

## Limits

| limit | value |
| --- | --- |
| requests a second | 200 |
| body | 1 MB |

- [x] owner is a team
- [ ] budget is set

> ==Marked==, ~~gone~~ and ^^new^^ text, H~2~O, x^2^.

1. First
2. Second
"""


@dataclass(frozen=True, slots=True)
class GalleryPage:
    """Everything that ``ui/gallery.html`` shows."""

    now: datetime
    earlier: datetime
    graph: GraphDrawing
    big_graph: GraphDrawing
    difference: tuple[DiffLine, ...]
    files: tuple[FileEntry, ...]
    python: str
    document: MarkdownDocument
    steps: tuple[tuple[str, str, str, str, str | None], ...]
    lines: tuple[tuple[int, str, str, str], ...]
    series: tuple[float, ...]
    weeks: tuple[str, ...]
    picker_src: str


def gallery_page(*, picker_src: str = "/_options") -> GalleryPage:
    """The gallery's data. :param picker_src: where the entity pickers search."""
    now = utc_now()
    return GalleryPage(
        now=now,
        earlier=now - timedelta(hours=3, minutes=12),
        graph=_graph(depth=1, cap=40),
        big_graph=_graph(depth=2, cap=9),
        difference=diff_lines(_OLD, _NEW, context=1),
        files=_files(),
        python=_PYTHON,
        document=read_markdown(_MARKDOWN, base_url="/docs/billing/"),
        steps=(
            ("fetch", "Fetch the template", "fetch:template", "succeeded", "2.1 s"),
            ("publish", "Create the repository", "publish:git", "succeeded", "3.4 s"),
            ("register", "Register in the catalog", "catalog:register", "failed", "1.2 s"),
            ("deploy", "First deployment", "deploy:start", "running", None),
            ("notify", "Tell the team", "notify:send", "skipped", None),
            ("clean", "Clean up", "debug:log", "waiting", None),
        ),
        lines=(
            (1, "fetch", "14:02:11", "Fetching skeleton from templates/python-service@v3.2.0"),
            (2, "fetch", "14:02:12", "Rendering 41 files"),
            (3, "publish", "14:02:13", "Creating repository payments/billing"),
            (4, "publish", "14:02:15", "Pushing first commit 8c1fa20 to main"),
            (5, "register", "14:02:16", "catalog-info.yaml:7 owner: group:default/paiments does not exist"),
        ),
        series=(4, 6, 5, 9, 8, 12, 11, 15, 13, 17, 16, 20),
        weeks=tuple(f"W{week}" for week in range(36, 48)),
        picker_src=picker_src,
    )


def _graph(*, depth: int, cap: int) -> GraphDrawing:
    names = (
        ("checkout", "component", "website", "degraded"),
        ("orders", "component", "service", "healthy"),
        ("billing", "component", "service", "healthy"),
        ("ledger", "component", "service", "down"),
        ("billing-api", "api", "openapi", "healthy"),
        ("billing-db", "resource", "postgres", "healthy"),
        ("billing-events-and-audit-trail", "resource", "queue", "unknown"),
        ("payments", "system", "", "unknown"),
        ("mailer", "component", "service", "healthy"),
        ("warehouse", "component", "job", "unknown"),
        ("reports", "component", "job", "healthy"),
    )
    nodes = [GraphNode(name, kind, type_, name, f"#{name}", status) for name, kind, type_, status in names]
    edges = [
        GraphEdge(*edge)
        for edge in (
            ("checkout", "billing", "depends on"),
            ("orders", "billing", "depends on"),
            ("payments", "billing", "has part"),
            ("billing", "ledger", "depends on"),
            ("billing", "billing-api", "provides"),
            ("billing", "billing-db", "depends on"),
            ("billing", "billing-events-and-audit-trail", "depends on"),
            ("ledger", "billing", "depends on"),
            ("orders", "billing-api", "consumes"),
            ("ledger", "mailer", "depends on"),
            ("ledger", "warehouse", "depends on"),
            ("warehouse", "reports", "depends on"),
        )
    ]
    return to_svg(nodes, edges, focus="billing", label=f"Relations of billing, depth {depth}", depth=depth, cap=cap)


def _files() -> tuple[FileEntry, ...]:
    return (
        FileEntry("catalog-info.yaml", "kind: Component\nmetadata:\n  name: billing\n", "added"),
        FileEntry("src/billing/app.py", _PYTHON, "added"),
        FileEntry("src/billing/__init__.py", "", "added"),
        FileEntry("score.yaml", _NEW, "changed"),
        FileEntry("docs/index.md", "# Billing\n", "removed"),
        FileEntry("docs/logo.png", None, "added", "PNG image, 14 KB"),
    )
