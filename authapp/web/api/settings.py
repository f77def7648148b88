"""Options: their values, where those come from, and setting those that may be set."""

from typing import Any

from flask import jsonify
from werkzeug.wrappers import Response

from authapp import stored_options
from authapp.config import provenance
from authapp.config.provenance import Explained, explain, explain_all
from authapp.web.api.blueprint import route
from authapp.web.api.models.settings import OptionFacts, OptionPath, Options, ValueBody
from authapp.web.identity import who
from authapp.web.state import database, effective, look_now, snapshot, the_app, visitor


@route("get", "/settings", "superuser", "settings", {200: Options})
def all_settings() -> Response:
    """List every option as it is this moment."""
    look_now()
    return jsonify(items=[_facts(one) for one in explain_all(effective(), snapshot().needs_restart)])


@route("get", "/settings/<key>", "superuser", "settings", {200: OptionFacts})
def one_setting(path: OptionPath) -> Response:
    """Describe an option."""
    look_now()
    return _described(stored_options.find(path.key))


@route("put", "/settings/<key>", "superuser", "settings", {200: OptionFacts}, needs_proof="to change the settings")
def change_setting(path: OptionPath, body: ValueBody) -> Response:
    """Set an option in the Settings table; it counts everywhere within a second."""
    key = stored_options.find(path.key)
    stored_options.store(database(), the_app().live, {key: body.value}, visitor("api", who()))
    look_now()
    return _described(key)


@route("delete", "/settings/<key>", "superuser", "settings", {204: None}, needs_proof="to change the settings")
def reset_setting(path: OptionPath) -> tuple[str, int]:
    """Take an option out of the Settings table: its default counts again."""
    key = stored_options.find(path.key)
    stored_options.unset(database(), the_app().live, [key], visitor("api", who()))
    look_now()
    return "", 204


def _described(key: str) -> Response:
    return jsonify(_facts(explain(effective(), key, snapshot().needs_restart)))


def _facts(one: Explained) -> dict[str, Any]:
    return {**provenance.facts(one), "value": provenance.json_value(one.option, effective().get(one.key))}
