"""The forms: which fields, and what must not be empty. What is right is for the rules to say."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, PasswordField, StringField
from wtforms.validators import InputRequired


def text(field: Field) -> str:
    """Return what was typed into a field."""
    return field.data or ""


def _strip(value: Any) -> Any:
    """Cut the white space that comes along when a name is pasted."""
    return value.strip() if isinstance(value, str) else value


def _username(label: str = "User name") -> StringField:
    return StringField(
        label,
        filters=[_strip],
        validators=[InputRequired("Type the user name.")],
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )


def _password(label: str, token: str, missing: str) -> PasswordField:
    return PasswordField(label, validators=[InputRequired(missing)], render_kw={"autocomplete": token})


class Form(FlaskForm):  # type: ignore[misc]  # flask_wtf ships no types
    """A form; by itself one with nothing but its proof that it is ours."""

    def refuse(self, field: Field, message: str) -> None:
        """Put a rule's answer beside the field it is about."""
        field.errors = [*field.errors, message]

    @property
    def too_old(self) -> bool:
        """Whether the form failed its CSRF check, so that it has to be sent again."""
        return "csrf_token" in self.errors


class SetupTokenForm(Form):
    """Proof of access to the host."""

    token = StringField(
        "Setup token",
        filters=[_strip],
        validators=[InputRequired("Paste the setup token.")],
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
    )


class SetupForm(Form):
    """The owner's credentials; pinned halves are taken out before it is shown."""

    username = _username()
    password = _password("Password", "new-password", "Choose a password.")


class LoginForm(Form):
    """Sign in."""

    username = _username()
    password = _password("Password", "current-password", "Type your password.")
    remember = BooleanField("Keep me signed in")


class NewPasswordForm(Form):
    """Change one's own password."""

    current_password = _password("Current password", "current-password", "Type your current password.")
    new_password = _password("New password", "new-password", "Choose a new password.")


class NewUserForm(Form):
    """Create a user."""

    username = _username()
    password = _password("Password", "new-password", "Choose a password.")
    active = BooleanField("Active")
    superuser = BooleanField("Superuser")


class SwitchForm(Form):
    """Switch something of a user on or off."""

    on = BooleanField()
