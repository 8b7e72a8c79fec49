"""What staff type to sign in, and to change their password."""

from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField, ValidationError
from wtforms.validators import EqualTo, InputRequired, Length

from hds.accounts.models import SHORTEST_PASSWORD

# Longer ones would only make the hash's work longer.
LONGEST_PASSWORD = 200
LONGEST_EMAIL = 320


class SignInForm(FlaskForm):
    email = StringField(
        "E-mail",
        [InputRequired("Enter your e-mail address."), Length(max=LONGEST_EMAIL, message="This address is too long.")],
        filters=[lambda text: text and text.replace("\0", "").strip()],  # PostgreSQL refuses NUL
    )
    password = PasswordField(
        "Password",
        [InputRequired("Enter your password."), Length(max=LONGEST_PASSWORD, message="This password is too long.")],
    )
    next = HiddenField()


class PasswordForm(FlaskForm):
    current = PasswordField(
        "Current password",
        [
            InputRequired("Enter the password that you have now."),
            Length(max=LONGEST_PASSWORD, message="The current password is not right."),
        ],
    )
    new = PasswordField(
        "New password",
        [
            InputRequired("Choose a new password."),
            Length(min=SHORTEST_PASSWORD, message=f"Choose at least {SHORTEST_PASSWORD} characters."),
            Length(max=LONGEST_PASSWORD, message=f"Choose at most {LONGEST_PASSWORD} characters."),
        ],
    )
    again = PasswordField("New password, again", [EqualTo("new", "The two new passwords are not the same.")])

    def validate_new(self, field: PasswordField) -> None:
        chosen = (field.data or "").strip().lower()
        if chosen == current_user.email:
            raise ValidationError("Your e-mail address is the first thing that others would try.")
        if field.data == self.current.data:
            raise ValidationError("This is the password that you have now.")
