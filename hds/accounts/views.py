"""Signing in, signing out, the password: and the one guard before everything under /admin."""

import re
from datetime import timedelta

from flask import Blueprint, Response, flash, make_response, render_template, request, session, url_for
from flask_login import current_user, login_user

from hds.accounts.forms import PasswordForm, SignInForm
from hds.accounts.models import WINDOW, Busy, SignInAttempt, Staff
from hds.extensions import db, limiter
from hds.lib import limits
from hds.lib.htmx import redirect_to
from hds.lib.models import only_reading
from hds.lib.times import utcnow

blueprint = Blueprint("accounts", __name__, url_prefix="/admin")

OPEN = {"accounts.sign_in", "accounts.begin_session"}
FIRST_PAGE = "/admin/bookings"
# A path under /admin in plain printable characters. Backslashes, spaces and controls are read as something else by
# some browser; //host and a scheme cannot begin with /admin.
LOCAL = re.compile(r"/admin(?:[/?][\x21-\x5b\x5d-\x7e]*)?")
MINUTES = int(WINDOW.total_seconds() // 60)
TOO_MANY = f"There were too many tries. Wait {MINUTES} minutes, then try again."
BUSY = "Too many people are signing in at this moment. Try again in a few seconds."
BUSY_SECONDS = 5
LONGEST_SESSION = timedelta(days=7)


@blueprint.before_app_request
def require_sign_in() -> Response | None:
    """Whatever lies under /admin, by whichever blueprint, is for staff: a new page cannot forget it."""
    if not (request.path == "/admin" or request.path.startswith("/admin/")) or request.endpoint in OPEN:
        return None
    if current_user.is_authenticated and _is_young():
        session.modified = True  # it lasts twelve hours from here
        return None
    if current_user.is_authenticated:
        session.clear()
    wanted = request.full_path.rstrip("?") if request.url_rule and request.method in {"GET", "HEAD"} else None
    return redirect_to(url_for("accounts.sign_in", next=wanted))


@blueprint.context_processor
def for_templates() -> dict[str, object]:
    return {"current_user": current_user}


@blueprint.get("/sign-in")
def sign_in() -> Response:
    if current_user.is_authenticated:
        return redirect_to(FIRST_PAGE)
    return _sign_in_page(SignInForm(next=request.args.get("next", "")))


@blueprint.post("/sign-in")
@limiter.limit(limits.SIGN_IN)
def begin_session() -> Response:
    form = SignInForm()
    if not form.validate():
        return _sign_in_page(form, 422)
    email = form.email.data or ""
    address = request.remote_addr or ""
    attempt = SignInAttempt.begin(email, address)
    if attempt is None:
        form.form_errors.append(TOO_MANY)
        return _too_many(_sign_in_page(form, 429))
    try:
        staff = _who_signs_in(email, form.password.data or "")
    except Busy:
        SignInAttempt.take_back(attempt)
        form.form_errors.append(BUSY)
        return _too_many(_sign_in_page(form, 429), BUSY_SECONDS)
    if staff is None:
        form.form_errors.append("The e-mail address or the password is not right.")
        return _sign_in_page(form, 422)
    SignInAttempt.forget(email, address)
    _open_session(staff)
    db.session.commit()
    return redirect_to(local_path(form.next.data) or FIRST_PAGE)


@blueprint.post("/sign-out")
def sign_out() -> Response:
    current_user.end_sessions()
    db.session.commit()
    session.clear()
    flash("You are signed out, on every device.")
    return redirect_to(url_for("accounts.sign_in"))


@blueprint.get("/password")
def password() -> str:
    return render_template("accounts/password.html", form=PasswordForm())


@blueprint.post("/password")
def change_password() -> Response:
    """Sessions elsewhere end, as they were opened with the old password; this one goes on."""
    form = PasswordForm()
    if not form.validate():
        return _password_page(form, 422)
    staff = db.session.get_one(Staff, current_user.id)
    own = f"password of {staff.id}"  # neither the account's key nor an address: no stranger's tries count here
    attempt = SignInAttempt.begin(own, own)
    if attempt is None:
        form.form_errors.append(TOO_MANY)
        return _too_many(_password_page(form, 429))
    try:
        is_right = staff.has_password(form.current.data or "")
    except Busy:
        SignInAttempt.take_back(attempt)
        form.form_errors.append(BUSY)
        return _too_many(_password_page(form, 429), BUSY_SECONDS)
    if not is_right:
        form.current.errors = ["The current password is not right."]
        return _password_page(form, 422)
    staff.choose_password(form.new.data or "")
    SignInAttempt.forget(own, own)
    _open_session(staff)
    db.session.commit()
    flash("Your password is changed. You are signed out everywhere else.")
    return redirect_to(url_for("accounts.password"))


def local_path(target: str | None) -> str | None:
    """The target, if it is an address of ours to go to after signing in."""
    return target if target and LOCAL.fullmatch(target) else None


def _who_signs_in(email: str, password: str) -> Staff | None:
    """A hash takes its time: SQLite's one write lock is free for others meanwhile."""
    with only_reading():
        return Staff.sign_in(email, password)


def _is_young() -> bool:
    """However busy a session is kept, it ends a week after signing in."""
    return utcnow().timestamp() - session.get("signed_in_at", 0.0) < LONGEST_SESSION.total_seconds()


def _open_session(staff: Staff) -> None:
    """Nothing of the session before is taken over, the token of its forms included."""
    session.clear()
    session.permanent = True  # twelve hours after the last request, also when the browser stays open
    session["signed_in_at"] = utcnow().timestamp()
    login_user(staff)


def _sign_in_page(form: SignInForm, status: int = 200) -> Response:
    return make_response(render_template("accounts/sign_in.html", form=form), status)


def _password_page(form: PasswordForm, status: int) -> Response:
    return make_response(render_template("accounts/password.html", form=form), status)


def _too_many(response: Response, seconds: int = int(WINDOW.total_seconds())) -> Response:
    response.headers["Retry-After"] = str(seconds)
    return response
