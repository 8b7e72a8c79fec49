"""What the supervisor needs to know of the settings. `python -m hds.plan` prints it, or says what is wrong with them.

A process of its own reads them, because pydantic, once imported, would stay and treble the supervisor's memory.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    data: str
    host: str
    port: int
    web_workers: int
    site_url: str
    has_mailbox: bool
    needs_queue: bool
    sandbox_url: str = ""
    sandbox: dict[str, str] = field(default_factory=dict)  # its environment; empty where there is none

    @property
    def local_host(self) -> str:
        """The address under which this machine itself reaches the site."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound

    @property
    def local_url(self) -> str:
        return (
            f"http://[{self.local_host}]:{self.port}" if ":" in self.host else f"http://{self.local_host}:{self.port}"
        )


def web_command(host: str, port: int, workers: int) -> list[str]:
    """The web server's command: that of `make run` and of `flask web`."""
    flags = f"""--interface wsgi --host {host} --port {port} --http 1 --no-ws
        --workers {workers} --blocking-threads 4 --workers-kill-timeout 10
        --respawn-failed-workers --respawn-interval 0.5 --log-level warning"""
    return [str(Path(sys.executable).with_name("granian")), *flags.split(), "wsgi:app"]


def make_plan() -> Plan:
    """Raises WrongSettings."""
    from hds.config import MailTransport, read_settings

    given = read_settings()
    settings = given.completed()
    plan = Plan(
        data=str(settings.hds_data),
        host=settings.host,
        port=settings.port,
        web_workers=settings.web_workers,
        site_url=settings.site_url,
        has_mailbox=settings.mail_transport is MailTransport.MAILBOX,
        needs_queue=not given.redis_url.get_secret_value(),
        sandbox_url=settings.sandbox_url,
    )
    if settings.uses_sandbox:
        environment = {
            "SANDBOX_PORT": settings.port + 1,
            "SANDBOX_DATA": settings.hds_data / "sandbox",
            "SANDBOX_WEBHOOK_URL": f"{plan.local_url}/api/webhooks/cal",
            "SANDBOX_WEBHOOK_SECRET": settings.cal_webhook_secret.get_secret_value(),
            "SANDBOX_FREE_EVENT_ID": settings.cal_free_consultation_event_id or "",
            "SANDBOX_DEEP_DIVE_EVENT_ID": settings.cal_deep_dive_event_id or "",
            "SANDBOX_TIME_ZONE": settings.owner_time_zone,
            "SANDBOX_OWNER_NAME": settings.owner_name,
            "SANDBOX_OWNER_EMAIL": settings.contact_email,
            "SANDBOX_SITE_URL": settings.site_url or plan.local_url,
        }
        plan.sandbox.update({name: str(value) for name, value in environment.items()})
    return plan


def main() -> int:
    from hds.config import WrongSettings

    try:
        print(json.dumps(asdict(make_plan())))
    except WrongSettings as error:
        print(*error.reasons, sep="\n", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The data folder cannot be used: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
