"""The web toolkit: pages, the UI kit, static assets, response headers, errors at the edge, Markdown, graphs and charts.

Look and markup belong here; what a page shows belongs to the slice that owns it. The kit knows no entity and no run.
"""
