"""Errors as Backstage's clients read them: they branch on the name. For every API that speaks its protocols."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flagstone.kernel.errors import FlagstoneError

_NAMES = {
    400: "InputError",
    401: "AuthenticationError",
    403: "NotAllowedError",
    404: "NotFoundError",
    409: "ConflictError",
    503: "ServiceUnavailableError",
}


def error_response(request: Request, error: FlagstoneError) -> Response:
    """The answer to an error below ``/api/<plugin>``; the plugin's clients expect addresses without that prefix."""
    status = 400 if error.status in (413, 422) else error.status
    message = "; ".join([error.message, *(str(problem) for problem in error.problems)])
    if error.code == "access.sign_in_needed":
        message = "Missing credentials"
    elif error.hint and status not in (400, 404):
        message = f"{message} {error.hint}"
    path = (request.scope.get("raw_path") or request.url.path.encode()).decode("ascii", "replace")
    query = request.scope["query_string"].decode("ascii", "replace")
    url = "/".join(["", *path.split("/")[3:]]) + (f"?{query}" if query else "")
    body = {
        "error": {"name": _NAMES.get(status, "Error"), "message": message, "code": error.code},
        "request": {"method": request.method, "url": url or "/"},
        "response": {"statusCode": status},
    }
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return JSONResponse(body, status, headers)
