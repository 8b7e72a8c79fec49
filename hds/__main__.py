"""`python -m hds work` is `flask work` without what `flask` loads besides: less memory, and a quicker start."""

from wsgi import app

if __name__ == "__main__":
    with app.app_context():
        app.cli.main(prog_name="hds")
