"""`/admin/settings`: every option, where its value comes from, and what superusers change."""

import html
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from authapp import nodes, stored_options
from authapp.config.environment import own_name
from authapp.config.options import OPTIONS
from authapp.config.overlay import Source
from authapp.config.provenance import explain
from authapp.nodes import Here
from tests.rules.test_stored_options import GOOD
from tests.web.pages import field_of, is_tame, section
from tests.web.test_admin import EVIL_NAMES
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, SHELL, Browser, World, elements, signed_in

SETTINGS, RESET = "/admin/settings", "/admin/settings/reset"
SECRET = "canary-canary-canary-canary"
BAD = {
    "session.lifetime": ("soon", "must be a duration such as 30m, 12h or 30d."),
    "throttle.attempts": ("0", "must be at least 1."),
    "throttle.window": ("5", "must be a duration"),
    "password.policy": ("none", "must be one of"),
    "auth.sign-up": ("perhaps", "must be true or false."),
    "organization.name": ("x" * 101, "must have at most 100 characters."),
    "workspace.name": ("", "must not be empty."),
}
every_option = pytest.mark.parametrize("key", OPTIONS)
every_setting = pytest.mark.parametrize("key", GOOD)


def save(browser: Browser, values: Mapping[str, str]) -> TestResponse:
    """Send options."""
    return browser.post(SETTINGS, dict(values))


def reset(browser: Browser, key: str) -> TestResponse:
    """Press `Back to default`."""
    return browser.post(RESET, {"key": key}, form=SETTINGS)


def markup(page: str, key: str) -> str:
    """Return what the page holds of one option."""
    parts = re.split(r'<div class="option" id="', page)
    return next(part for part in parts if part.startswith(f'{key}"')).partition("</section>")[0]


def row(page: str, key: str) -> str:
    """Return what can be read of one option."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup(page, key).partition(">")[2])).split())


def fields_of(page: str) -> dict[str, str]:
    """Return what a browser would send if nobody changed anything: the last field of a name counts."""
    form = re.search(r'<form method="post" action="/admin/settings">.*?</form>', page, re.DOTALL)
    assert form is not None
    sent = {}
    for _, field in elements(form[0], "input"):
        if "name" in field and (field.get("type") != "checkbox" or "checked" in field):
            sent[field["name"]] = field["value"]
    for name, choices in re.findall(r'<select[^>]*name="([^"]+)".*?>(.*?)</select>', form[0], re.DOTALL):
        sent[name] = re.findall(r"<option selected>([^<]+)<", choices)[0]
    return sent


def in_yaml(key: str, value: str) -> str:
    """Return a config file that gives one option, in its last line."""
    *sections, name = key.split(".")
    lines = [f"{'  ' * depth}{section}:" for depth, section in enumerate(sections)]
    return "\n".join([*lines, f"{'  ' * len(sections)}{name}: {value}"]) + "\n"


def how_to_set(key: str) -> str:
    """Return what the page says of an option that it cannot set."""
    return f"To set it, write {key} into config.yml , or give {own_name(key)} in the environment."


# -- what is shown --------------------------------------------------------------------------------------------


@every_option
def test_every_option_is_on_the_page(cast: World, key: str) -> None:
    """Every option of the program is there with its help, the value in force, and the layer that supplies it."""
    page = signed_in(cast).get(SETTINGS).text
    one, text = explain(cast.snapshot.effective, key), row(page, key)
    assert text.startswith(f"{key} {one.option.help}")
    assert f"{one.elsewhere or one.source} : what each layer says of {key}" in text
    assert "Changes need a restart." in text or not one.option.restart
    if not one.option.settable:
        assert re.search(rf'<p class="value[^>]*>{re.escape(html.escape(one.text))}</p>', markup(page, key))


@every_setting
def test_a_setting_has_a_field_with_its_value(cast: World, key: str) -> None:
    """What can be set here has a field that is called like the option and holds the value in force."""
    assert fields_of(signed_in(cast).get(SETTINGS).text)[key] == explain(cast.snapshot.effective, key).text


def test_fields_fit_what_they_are_for(cast: World) -> None:
    """A yes or no is a switch, a choice offers what there is, a number has its bounds."""
    page = signed_in(cast).get(SETTINGS).text
    switch = [field for _, field in elements(page, "input") if field.get("name") == "auth.sign-up"][-1]
    assert (switch["type"], switch["role"]) == ("checkbox", "switch")
    assert re.findall(r"<option[^>]*>(\w+)<", markup(page, "password.policy")) == ["standard", "kestra", "nist"]
    number = field_of(page, "throttle.attempts")
    assert (number["type"], number["min"], number["max"]) == ("number", "1", "1000")
    assert "Such as 30m, 12h or 30d." in row(page, "session.lifetime")


@pytest.mark.parametrize("key", sorted(OPTIONS.keys() - GOOD.keys() - {"database.url"}))
def test_what_is_for_the_file_alone_says_how(cast: World, key: str) -> None:
    """What cannot be set here has no field, and says how it is set: key of the file, environment variable."""
    page = signed_in(cast).get(SETTINGS).text
    assert key not in fields_of(page)
    assert how_to_set(key) in row(page, key)


@pytest.mark.sqlite(reason="on PostgreSQL it is set already, so the page has nothing to say about how to set it")
def test_how_to_choose_a_database(cast: World) -> None:
    """The page says how another database is chosen."""
    assert how_to_set("database.url") in row(signed_in(cast).get(SETTINGS).text, "database.url")


def test_layers_below_are_told(cast: World) -> None:
    """Below the layer that counts stand the others, highest first, each with its value and place."""
    stored_options.store(cast.database, cast.app.live, {"session.lifetime": "3h"}, SHELL)
    cast.variables["AUTHAPP_SESSION_LIFETIME"] = "2h"
    cast.write_config("# mine\nsession:\n  lifetime: 1h\n")
    cast.restart()
    told = row(signed_in(cast).get(SETTINGS).text, "session.lifetime")
    assert "config file config.yml:3:3 : what" in told
    assert told.endswith(
        "config file 1h config.yml:3:3 environment 2h AUTHAPP_SESSION_LIFETIME Settings table 3h default 12h"
    )


def test_setting_that_cannot_be_used_is_told(cast: World) -> None:
    """A row of the Settings table that cannot be used any more says why it does not count, and can be taken out."""
    stored_options.store(cast.database, cast.app.live, {"throttle.attempts": "5"}, SHELL)
    with cast.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE settings SET value = '\"many\"' WHERE key = 'throttle.attempts'")
    page = signed_in(cast).get(SETTINGS).text
    assert "What the Settings table says does not count: it must be a whole number." in row(
        page, "throttle.attempts"
    )
    assert "Back to default" in row(page, "throttle.attempts")


def test_other_form_of_the_password_is_told(cast: World) -> None:
    """Beside the forms of the password that do not count stands which one does."""
    page = signed_in(cast).get(SETTINGS).text
    note = "The Settings table gives server.basic-auth.password-hash instead."
    assert note in row(page, "server.basic-auth.password")
    assert note not in row(page, "server.basic-auth.password-hash")


# -- restart --------------------------------------------------------------------------------------------------


def test_edit_that_needs_a_restart_is_loud(cast: World) -> None:
    """Beside an option that was edited but is read at start stand both values, and which one counts when."""
    ada = signed_in(cast)
    cast.write_config("server:\n  port: 9999\n")
    page = ada.get(SETTINGS).text
    told = row(page, "server.port")
    assert '<p class="value">8080</p>' in markup(page, "server.port")
    assert "config.yml, line 2 now says 9999; it counts after a restart. value at start" in told
    assert "server.port was edited" in " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_line_that_was_taken_out_counts_until_the_restart(cast: World) -> None:
    """When the line is gone, what it said counts until the restart, and then the default."""
    cast.write_config("log:\n  level: debug\n")
    cast.restart()
    ada = signed_in(cast)
    cast.write_config("# nothing\n")
    page = ada.get(SETTINGS).text
    assert '<p class="value">debug</p>' in markup(page, "log.level")
    assert "The default now says info; it counts after a restart." in row(page, "log.level")


def test_nothing_is_loud_without_an_edit(cast: World) -> None:
    """Without an edit nothing speaks of what counts after a restart."""
    cast.write_config("server:\n  port: 9999\n")
    cast.restart()
    page = signed_in(cast).get(SETTINGS).text
    assert "counts after a restart" not in page
    assert "config file server.port" not in page
    assert "config file config.yml:2:3" in row(page, "server.port")


# -- several nodes --------------------------------------------------------------------------------------------


def test_what_other_nodes_were_given_otherwise_is_told(cast: World) -> None:
    """An option that another live node was given otherwise is named, with the node; the own node is no other."""
    cast.write_config("session: {lifetime: 3h}\n")
    cast.app.here = replace(cast.app.here, id="one")
    nodes.beat(cast.database, Here("web-2", "/etc/authapp/config.yml", "other", 4711), cast.snapshot.effective)
    nodes.beat(cast.database, cast.app.here, cast.snapshot.effective)
    cast.write_config("session: {lifetime: 4h}\n")
    told = section(signed_in(cast).get(SETTINGS).text, "Not all nodes were given the same")
    assert told.count("<li>") == 1
    assert (
        "session.lifetime: the node web-2 (/etc/authapp/config.yml, process 4711) was given another value" in told
    )


def test_nodes_that_agree_are_not_told(cast: World) -> None:
    """Where all nodes were given the same, nothing is said of them."""
    nodes.beat(cast.database, Here("web-2", "/etc/authapp/config.yml", "other", 4711), cast.snapshot.effective)
    assert "Not all nodes" not in signed_in(cast).get(SETTINGS).text


# -- saving ---------------------------------------------------------------------------------------------------


@every_setting
def test_what_is_set_counts_at_once(cast: World, key: str) -> None:
    """A setting that is saved is in force and in the Settings table, and the page shows it as supplied by that."""
    text, value = GOOD[key]
    ada = signed_in(cast)
    answer = save(ada, {key: text})
    assert (answer.status_code, answer.location) == (303, f"{SETTINGS}#{key}")
    assert cast.snapshot.effective.get(key) == value
    assert cast.setting(key) == OPTIONS[key].to_json(value)
    page = ada.get(SETTINGS).text
    assert f"Saved: {key}." in page
    assert fields_of(page)[key] == explain(cast.snapshot.effective, key).text
    assert f"{Source.SETTINGS} : what each layer says" in row(page, key)


@every_setting
def test_back_to_default(cast: World, key: str) -> None:
    """Where the Settings table holds a value a button takes it out, and the default counts again."""
    ada = signed_in(cast)
    assert "Back to default" not in row(ada.get(SETTINGS).text, key)
    save(ada, {key: GOOD[key][0]})
    assert f'form="reset" name="key" value="{key}"' in markup(ada.get(SETTINGS).text, key)
    answer = reset(ada, key)
    assert (answer.status_code, answer.location) == (303, f"{SETTINGS}#{key}")
    assert (cast.setting(key), cast.snapshot.effective.get(key)) == (None, OPTIONS[key].default)
    page = ada.get(SETTINGS).text
    assert f"{key} is back to its default: " in page
    assert "Back to default" not in row(page, key)


def test_form_as_it_is_saves_nothing(cast: World) -> None:
    """The form sent as it was shown writes nothing, and says so."""
    ada = signed_in(cast)
    before = cast.tables()["settings"]
    assert save(ada, fields_of(ada.get(SETTINGS).text)).status_code == 303
    assert cast.tables()["settings"] == before
    assert not cast.audit("setting.changed")
    assert "Nothing was changed." in ada.get(SETTINGS).text


def test_only_what_changed_is_saved(cast: World) -> None:
    """Of a whole form that is sent only what differs from the value in force is written down and recorded."""
    ada = signed_in(cast)
    form = fields_of(ada.get(SETTINGS).text)
    save(ada, {**form, "throttle.lock": "30m", "session.lifetime": "720m", "organization.name": " Default "})
    assert [entry.detail for entry in cast.audit("setting.changed")] == [{"key": "throttle.lock"}]


def test_switch_is_moved_back(cast: World) -> None:
    """A switch that is off in the form that is sent is saved as off."""
    ada = signed_in(cast)
    save(ada, {"auth.sign-up": "true"})
    form = fields_of(ada.get(SETTINGS).text)
    assert form["auth.sign-up"] == "true"
    save(ada, {**form, "auth.sign-up": "false"})
    assert cast.snapshot.effective.get("auth.sign-up") is False


def test_old_form_takes_nothing_back(cast: World) -> None:
    """A form that was open while somebody else saved another option leaves that one as it is."""
    ada, dora = signed_in(cast), signed_in(cast, DORA)
    form = fields_of(ada.get(SETTINGS).text)
    save(dora, {"throttle.attempts": "5"})
    save(ada, {**form, "throttle.lock": "30m"})
    assert (cast.setting("throttle.attempts"), cast.setting("throttle.lock")) == (5, "30m")


def test_other_superusers_may(cast: World) -> None:
    """Every superuser may change settings, and it is recorded who did."""
    assert save(signed_in(cast, DORA), {"throttle.lock": "30m"}).status_code == 303
    assert [entry.actor for entry in cast.audit("setting.changed")] == [DORA]


def test_plain_users_may_not(cast: World) -> None:
    """Who is no superuser neither sees the page nor changes anything."""
    bob = signed_in(cast, BOB)
    before = cast.tables()["settings"]
    answers = [
        bob.get(SETTINGS),
        bob.post(SETTINGS, {"throttle.lock": "30m"}, form="/account"),
        bob.post(RESET, {"key": "throttle.lock"}, form="/account"),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert cast.tables()["settings"] == before


# -- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", BAD)
def test_bad_value_is_refused(cast: World, key: str) -> None:
    """A bad value is refused with the reason beside its field; nothing is written, good ones neither."""
    text, words = BAD[key]
    before = cast.tables()
    answer = save(signed_in(cast), {"throttle.lock": "30m", key: text})
    assert answer.status_code == 422
    assert f'<small id="{key}-error" class="error">{key} ' in answer.text
    assert words in row(answer.text, key)
    assert f'<a href="#{key}">' in answer.text
    assert cast.tables()["settings"] == before["settings"]


def test_all_refusals_at_once(cast: World) -> None:
    """Every bad value is named at once; what was typed is still there, and the first bad one has the focus."""
    typed = {
        "session.lifetime": "soon",
        "throttle.window": "later",
        "throttle.lock": "30m",
        "workspace.name": "Mill",
    }
    page = save(signed_in(cast), typed).text
    assert typed.items() <= fields_of(page).items()
    assert [field["name"] for _, field in elements(page, "input") if "aria-invalid" in field] == list(typed)[:2]
    assert [field["name"] for _, field in elements(page) if "autofocus" in field] == ["session.lifetime"]


@pytest.mark.parametrize("key", ["server.port", "server.secret-key", "server.basic-auth.password", "auth.mode"])
def test_what_is_for_the_file_alone_is_refused(cast: World, key: str) -> None:
    """What only the file or the environment may give is refused, and nothing beside it is written."""
    answer = save(signed_in(cast), {"throttle.lock": "30m", key: SECRET})
    assert (answer.status_code, SECRET in answer.text) == (409, False)
    assert f"{key} cannot be set here" in answer.text
    assert reset(signed_in(cast), key).status_code == 409
    assert cast.setting("throttle.lock") is None


def test_without_csrf_token(cast: World) -> None:
    """Without its CSRF token the form is shown again with 400, with what was typed, and nothing is saved."""
    ada = signed_in(cast)
    answer = ada.client.post(SETTINGS, data={"throttle.lock": "30m"})
    assert (answer.status_code, fields_of(answer.text)["throttle.lock"]) == (400, "30m")
    assert ada.client.post(RESET, data={"key": "throttle.lock"}).status_code == 400
    assert cast.setting("throttle.lock") is None


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_what_was_typed_is_text(cast: World, name: str) -> None:
    """Whatever was typed is text on the page."""
    page = save(signed_in(cast), {"session.lifetime": name, "workspace.name": name * 30}).text
    assert fields_of(page)["session.lifetime"] == name
    assert is_tame(page)


# -- pinned ---------------------------------------------------------------------------------------------------


def is_refused_as_pinned(world: World, key: str, supplier: str) -> bool:
    """Tell whether the page shows an option read-only with who supplies it, and refuses to set it."""
    ada = signed_in(world)
    page, before = ada.get(SETTINGS).text, world.tables()["settings"]
    assert key not in fields_of(page)
    assert f"Supplied by {supplier}; change it there." in row(page, key)
    assert f'<p class="value">{html.escape(explain(world.snapshot.effective, key).text)}</p>' in markup(page, key)
    answers = [
        save(ada, {key: explain_other(key), "workspace.name": "x", "organization.name": "x"}),
        reset(ada, key),
    ]
    for answer in answers:
        assert f"{key} is supplied by {supplier}; change it there." in row(answer.text, key)
    assert [answer.status_code for answer in answers] == [409, 409]
    return world.tables()["settings"] == before


def explain_other(key: str) -> str:
    """Return a value of an option that is neither the default nor the good one of these tests."""
    schema = OPTIONS[key].schema
    choices = {"boolean": "false", "integer": "77"}
    return schema["enum"][1] if "enum" in schema else choices.get(schema["type"], "77m")


@every_setting
def test_pinned_by_the_file(cast: World, key: str) -> None:
    """What the config file supplies is read-only and says at which line; sending it is 409, saving nothing."""
    cast.write_config(in_yaml(key, GOOD[key][0]))
    assert is_refused_as_pinned(cast, key, "config.yml, line 2")


@every_setting
def test_pinned_by_the_environment(cast: World, key: str) -> None:
    """What the environment supplies is read-only and says by which variable; sending it is 409."""
    cast.variables[own_name(key)] = GOOD[key][0]
    cast.restart()
    assert is_refused_as_pinned(cast, key, f"environment variable {own_name(key)}")


def test_fields_beside_a_pinned_one_are_saved(cast: World) -> None:
    """The form as it is shown beside a pinned option saves what was changed."""
    cast.write_config("organization:\n  name: Lovelace and Sons\n")
    ada = signed_in(cast)
    form = fields_of(ada.get(SETTINGS).text)
    assert save(ada, {**form, "workspace.name": "Mills"}).status_code == 303
    assert (cast.setting("workspace.name"), cast.setting("organization.name")) == ("Mills", None)


def test_file_that_is_edited_meanwhile_wins(cast: World) -> None:
    """A file that pins an option after the form was shown wins: 409 with its place, and what was typed is shown."""
    ada = signed_in(cast)
    form = fields_of(ada.get(SETTINGS).text)
    cast.config_file.write_text("session:\n  lifetime: 1h\n", encoding="utf-8")  # this very moment
    answer = ada.client.post(SETTINGS, data={**form, "session.lifetime": "2h", "throttle.lock": "30m"})
    told = row(answer.text, "session.lifetime")
    assert answer.status_code == 409
    assert "session.lifetime is supplied by config.yml, line 2; change it there." in told
    assert "2h" in told or fields_of(answer.text)["session.lifetime"] == "2h"
    assert fields_of(answer.text)["throttle.lock"] == "30m"
    assert (cast.setting("session.lifetime"), cast.setting("throttle.lock")) == (None, None)


def test_what_was_typed_is_shown_beside_the_pinned_value(cast: World) -> None:
    """Once the edit is in force, its value is shown read-only and what was typed stands beside it."""
    ada = signed_in(cast)
    form = fields_of(ada.get(SETTINGS).text)
    cast.write_config("session:\n  lifetime: 1h\n")
    page = ada.client.post(SETTINGS, data={**form, "session.lifetime": "2h"}).text
    assert "You typed: 2h" in row(page, "session.lifetime")
    assert "session.lifetime" not in fields_of(page)


def test_untouched_field_that_is_pinned_meanwhile(cast: World) -> None:
    """A form in which nobody touched what the file pins meanwhile is saved."""
    ada = signed_in(cast)
    form = fields_of(ada.get(SETTINGS).text)
    cast.write_config("session:\n  lifetime: 1h\n")
    assert ada.client.post(SETTINGS, data={**form, "throttle.lock": "30m"}).status_code == 303
    assert cast.setting("throttle.lock") == "30m"


# -- secrets --------------------------------------------------------------------------------------------------


def test_no_secret_is_on_the_page(cast: World) -> None:
    """Neither password, hash nor secret key is anywhere on the page, whichever layer gives them."""
    cast.variables["AUTHAPP_SERVER_SECRET_KEY"] = f"{SECRET}-environment"
    cast.write_config(
        f"server:\n  secret-key: {SECRET}\n  basic-auth: {{username: {ADA}, password: '{OTHER_PASSWORD}'}}\n"
    )
    cast.restart()
    ada = signed_in(cast, ADA, OTHER_PASSWORD)
    ada.post("/admin/recovery")
    page = html.unescape(ada.get(SETTINGS).text)
    stored = cast.setting("server.basic-auth")["password_hash"]
    for secret in (SECRET, OTHER_PASSWORD, stored, "$argon2", cast.setting("server.secret-key") or SECRET):
        assert secret not in page
    assert "•••• config file config.yml:2:3" in row(page, "server.secret-key")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://authapp:{SECRET}@localhost/authapp",
        f"postgresql://localhost/authapp?user=authapp&password={SECRET}&sslmode=require",
    ],
)
def test_database_password_is_not_on_the_page(cast: World, url: str) -> None:
    """The database's address is shown without its password, also while it waits for a restart."""
    ada = signed_in(cast)
    cast.write_config(f"database:\n  url: '{url}'\n")
    page = ada.get(SETTINGS).text
    assert SECRET not in page
    assert "localhost/authapp" in row(page, "database.url")
