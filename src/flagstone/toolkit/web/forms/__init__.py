"""Forms out of JSON Schema (draft-07 with ``ui:*`` keys, as Backstage templates write them). No request, no markup.

A form has *pages*; a page is an object schema. What depends on answers (``dependencies``, ``if/then/else``, ``oneOf``)
is resolved here, on the server, for the answers so far. *Values* are what is kept between requests: typed JSON, where
None says that a person emptied a field (so that its default does not come back). *Answers* are what leaves the form:
values with defaults, without what does not apply.

    schema, values = settle(page, values)              the page as it applies now
    fields(page, values, errors)                       what to draw (templates/ui/schema_form.html)
    parse(page, pairs, values)                         a posted form back into values
    answers(pages, values), check(page, values)        what leaves the form, and what is wrong with it

Where entity pickers find their choices is the caller's matter.
"""

from flagstone.toolkit.web.forms.checks import Fault, check
from flagstone.toolkit.web.forms.compiled import pattern_fault, schema_fault
from flagstone.toolkit.web.forms.entries import summary
from flagstone.toolkit.web.forms.fields import Field, Option, Row, fields, flat, problems
from flagstone.toolkit.web.forms.posted import Pairs, Posted, parse, parse_body
from flagstone.toolkit.web.forms.repos import RepoUrl, host_parts, parse_repo_url
from flagstone.toolkit.web.forms.schema import answers, settle
from flagstone.toolkit.web.forms.secrets import secret_faults
from flagstone.toolkit.web.forms.widgets import filter_terms, switched_off, ui, widget_of

__all__ = [
    "Fault",
    "Field",
    "Option",
    "Pairs",
    "Posted",
    "RepoUrl",
    "Row",
    "answers",
    "check",
    "fields",
    "filter_terms",
    "flat",
    "host_parts",
    "parse",
    "parse_body",
    "parse_repo_url",
    "pattern_fault",
    "problems",
    "schema_fault",
    "secret_faults",
    "settle",
    "summary",
    "switched_off",
    "ui",
    "widget_of",
]
