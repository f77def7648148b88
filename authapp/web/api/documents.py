"""The API's own documentation: one OpenAPI document, and the page made from it."""

from typing import Any

from flask import jsonify, render_template, request
from flask_openapi3.models.info import Info
from flask_openapi3.models.security_scheme import SecurityScheme
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response

from authapp import __version__
from authapp.names import ID
from authapp.web.api.blueprint import PREFIX, TAGS, bp, on_invalid, route
from authapp.web.api.models.kinds import Problem
from authapp.web.api.reading import groups
from authapp.web.state import App, the_app

SCHEMES: dict[str, SecurityScheme | dict[str, Any]] = {
    "basic": SecurityScheme(type="http", scheme="basic", description="User name and password, in UTF-8."),
    "bearer": SecurityScheme(type="http", scheme="bearer", description="A JWT of `POST /login`, or an API token."),
    "apiKey": SecurityScheme(
        type="apiKey", name="X-API-Key", security_scheme_in="header", description="An API token."
    ),
    "session": SecurityScheme(
        type="apiKey",
        name="authapp",  # and the installation's id, which is written here when the document is asked for
        security_scheme_in="cookie",
        description="A signed-in browser; what changes something needs `X-CSRFToken` or comes from a page of ours.",
    ),
}


class Id(BaseConverter):
    """Part of an address: an id, so that `/users/sessions` is no user's."""

    regex = ID.pattern


def init_app(app: App) -> None:
    """Put the API into an app, and make it tell what pydantic finds in our words."""
    app.info = Info(title="authapp", version=__version__, description="The login for things you host yourself.")
    app.security_schemes = SCHEMES
    app.validation_error_model = Problem
    app.validation_error_callback = on_invalid
    app.url_map.converters["id"] = Id
    app.register_api(bp)


@route("get", "/openapi.json", "user", "documents", {200: "application/json"})
def openapi() -> Response:
    """Return this document (OpenAPI 3.1)."""
    return jsonify(_document())


@route("get", "/docs", "user", "documents", {200: "text/html"})
def docs() -> str:
    """Show this document as a page."""
    return render_template(
        "api/docs.html", groups=groups(_document(), TAGS.values()), address=f"{request.host_url}{PREFIX[1:]}"
    )


def _document() -> dict[str, Any]:
    """Return the document, with the name that the cookie has here."""
    app = the_app()
    name = app.session_interface.get_cookie_name(app)
    components = app.api_doc["components"]
    schemes = components["securitySchemes"]
    schemes = {**schemes, "session": {**schemes["session"], "name": name}}
    return {**app.api_doc, "components": {**components, "securitySchemes": schemes}}
