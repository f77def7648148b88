"""`/admin/settings`: every option, its value, where that comes from, and what superusers may change."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from authapp import nodes, stored_options
from authapp.config.environment import own_name
from authapp.config.options import OPTIONS, SECTIONS
from authapp.config.overlay import Source
from authapp.config.provenance import Explained, explain, explain_all
from authapp.errors import BadValue, Pinned, Problem, Refused
from authapp.web.errors import status_of
from authapp.web.forms import Form
from authapp.web.identity import who
from authapp.web.security import access
from authapp.web.state import database, effective, look_now, snapshot, the_app, visitor

bp = Blueprint("options", __name__, url_prefix="/admin/settings")
SEEN = "seen:"  # before a key: the field that tells what the form held when it was opened
# The one workspace of the one organization has no group of its own.
GROUP_OF = {"workspace": "organization"}


@dataclass(frozen=True, slots=True)
class Row:
    """An option as the page shows it: what is known of it, what was typed, and why that was refused."""

    explained: Explained
    typed: str | None = None
    refusal: str = ""

    @property
    def is_free(self) -> bool:
        """Whether the page can set it."""
        return self.explained.option.settable and not self.explained.pinned

    @property
    def is_stored(self) -> bool:
        """Whether the Settings table says something of it."""
        return any(said.source is Source.SETTINGS for said in self.explained.said)

    @property
    def variable(self) -> str:
        """The environment variable that supplies it."""
        return own_name(self.explained.key)


@bp.get("")
@access("superuser")
def settings() -> str:
    """Show every option as it is this moment: another process may just have saved one."""
    look_now()
    return _page(Form(formdata=None))


@bp.post("")
@access("superuser", shows_again=True, needs_proof="to change the settings")
def settings_submit() -> Response | tuple[str, int]:
    """Save what was changed: all of it, or nothing."""
    form, wanted = Form(), stored_options.changed(effective(), _sent(), _seen())
    if not form.validate_on_submit():
        return _page(form, wanted), 400
    try:
        stored_options.store(database(), the_app().live, wanted, visitor("form", who()))
    except (BadValue, Pinned) as error:
        look_now()
        refused = stored_options.refusals(the_app().live, wanted) | {error.key: error}
        return _page(form, wanted, refused), status_of(error)
    flash(f"Saved: {', '.join(wanted)}." if wanted else "Nothing was changed.")
    return _back_to(next(iter(wanted), None))


@bp.post("/reset")
@access("superuser", shows_again=True, needs_proof="to change the settings")
def reset() -> Response | tuple[str, int]:
    """Take one option out of the Settings table, so that its default counts again."""
    form, key = Form(), request.form.get("key", "")
    if not form.validate_on_submit():
        return _page(form), 400
    try:
        stored_options.unset(database(), the_app().live, [key], visitor("form", who()))
    except Pinned as error:
        look_now()
        return _page(form, refused={key: error}), status_of(error)
    answer = _back_to(key)
    flash(f"{key} is back to its default: {explain(effective(), key).text}.")
    return answer


def _sent() -> dict[str, str]:
    """Return the options a form sent; of a switch's two fields the last one counts."""
    return {key: request.form.getlist(key)[-1].strip() for key in request.form if key in OPTIONS}


def _seen() -> dict[str, str]:
    return {name.removeprefix(SEEN): value for name, value in request.form.items() if name.startswith(SEEN)}


def _back_to(key: str | None) -> Response:
    look_now()
    return redirect(url_for("options.settings", _anchor=key), 303)


def _page(form: Form, typed: Mapping[str, str] | None = None, refused: Mapping[str, Refused] | None = None) -> str:
    groups: dict[str, list[Row]] = {}
    for one in explain_all(effective(), snapshot().needs_restart):
        section = one.key.partition(".")[0]
        row = Row(one, (typed or {}).get(one.key), str((refused or {}).get(one.key, "")))
        groups.setdefault(GROUP_OF.get(section, section), []).append(row)
    # What can be changed here comes first.
    in_order = sorted(groups, key=lambda section: not any(row.explained.option.settable for row in groups[section]))
    return render_template(
        "admin/settings.html",
        form=form,
        groups={section: groups[section] for section in in_order},
        about=SECTIONS,
        refused=list(refused or {}),
        config_file=the_app().locations.config_file.name,
        others=_other_nodes(),
    )


def _other_nodes() -> list[Problem]:
    with database().reading() as db:
        return nodes.check(db, effective(), the_app().here)
