"""The forms: which fields, and what must not be empty. What is right is for the rules to say."""

from typing import Any, ClassVar

from flask import g, request
from flask_wtf import FlaskForm
from werkzeug.exceptions import RequestEntityTooLarge
from wtforms import (
    BooleanField,
    Field,
    PasswordField,
    RadioField,
    SelectField,
    StringField,
    SubmitField,
    TextAreaField,
)
from wtforms.validators import InputRequired

PROOF = "proof"  # the field of the question for the password
SECRETS = {"password", "current_password", "new_password"}
MOST_FIELDS = 2000  # more than any of our forms has


def text(field: Field) -> str:
    """Return what was typed into a field."""
    return field.data or ""


def sent_along(*without: str) -> list[tuple[str, str]]:
    """Return what a form sent, to be carried through a question, except for secrets and for some other fields."""
    if sum(map(len, request.form.listvalues())) > MOST_FIELDS:
        raise RequestEntityTooLarge
    left = {"csrf_token", PROOF, *SECRETS, *without}
    return [(name, value) for name, value in request.form.items(multi=True) if name not in left]


def _strip(value: Any) -> Any:
    """Cut the white space that comes along when a name is pasted."""
    return value.strip() if isinstance(value, str) else value


def _username(token: str = "username") -> StringField:  # noqa: S107 - not a secret, an autocomplete token
    return StringField(
        "User name",
        filters=[_strip],
        validators=[InputRequired("Type the user name.")],
        render_kw={"autocomplete": token, "autocapitalize": "none", "spellcheck": "false"},
    )


def _full_name(token: str = "off") -> StringField:  # noqa: S107 - not a secret, an autocomplete token
    return StringField("Full name", filters=[_strip], render_kw={"autocomplete": token})


def _password(label: str, token: str, missing: str) -> PasswordField:
    return PasswordField(label, validators=[InputRequired(missing)], render_kw={"autocomplete": token})


class Form(FlaskForm):  # type: ignore[misc]  # flask_wtf ships no types
    """A form; by itself one with nothing but its proof that it is ours."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]  # flask_wtf ships no types
        """How a form reads a request."""

        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """Return the fields of a form that was sent, and of nothing else: the guard looks at no JSON."""
            return request.form if formdata is not None and form.is_submitted() else None

    def validate(self, *more: Any, **extra: Any) -> bool:
        """Tell whether the form is right; one that the guard found to be none of ours never is."""
        is_right = bool(super().validate(*more, **extra))
        if not g.get("is_unproved_form"):
            return is_right
        self.csrf_token.errors = [*self.csrf_token.errors, "This form was open for too long."]
        return False

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


class ProofForm(Form):
    """Type the password again before a sensitive change."""

    proof = _password("Your password", "current-password", "Type your password.")


class NewUserForm(Form):
    """Create a user; without a password one is generated."""

    username = _username()
    full_name = _full_name()
    password = PasswordField("Password", render_kw={"autocomplete": "new-password"})
    active = BooleanField("Active")
    superuser = BooleanField("Superuser")


class UserListForm(Form):
    """Create users out of a pasted list."""

    users = TextAreaField(
        "One user a line",
        validators=[InputRequired("Paste the list: one user a line.")],
        render_kw={"rows": 10, "spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"},
    )
    active = BooleanField("Active")
    create = SubmitField()
    change = SubmitField()


class EditUserForm(Form):
    """Change a user's names."""

    username = _username(token="off")  # noqa: S106 - not a secret, an autocomplete token
    full_name = _full_name()


class FullNameForm(Form):
    """Change one's own full name."""

    full_name = _full_name(token="name")  # noqa: S106 - not a secret, an autocomplete token


class TokenForm(Form):
    """Make an API token."""

    SCOPES: ClassVar = {
        "read": "sees what you see, and changes nothing",
        "write": "also changes your full name, and ends your sessions",
        "admin": "also looks after users and settings, but never passwords and tokens",
    }
    DAYS: ClassVar = {"30": "30 days", "90": "90 days", "365": "a year", "0": "until it is revoked"}
    name = StringField(
        "Name",
        filters=[_strip],
        validators=[InputRequired("Give it a name.")],
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    # A text is its own label; the stubs know pairs only, which WTForms has given up.
    scope = RadioField("May", choices=list(SCOPES), default="read", validators=[InputRequired("Choose one.")])  # type: ignore[arg-type]  # see above
    days = SelectField("Good for", choices=list(DAYS), default="90")  # type: ignore[arg-type]  # see above


class SignUpForm(Form):
    """Make oneself a user."""

    username = _username()
    full_name = _full_name(token="name")  # noqa: S106 - not a secret, an autocomplete token
    password = _password("Password", "new-password", "Choose a password.")


class TypedForm(Form):
    """Confirm something that cannot be undone by typing a word."""

    typed = StringField(
        filters=[_strip], render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
    )


class SwitchForm(Form):
    """Switch something of a user on or off."""

    on = BooleanField()
    sure = BooleanField()
