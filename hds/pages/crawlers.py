"""What machines ask a site for: the sitemap, robots.txt, icons, the manifest, and the picture of a shared page."""

from flask import Blueprint, Response, abort, current_app, json, redirect, render_template
from werkzeug.wrappers import Response as AnyResponse

from hds.config import settings
from hds.extensions import limiter
from hds.lib import limits
from hds.lib.colours import token
from hds.lib.pagecache import kept
from hds.pages import found
from hds.pages.pictures import card_png, favicon, icon_png

blueprint = Blueprint("crawlers", __name__)

ICON_SIZES = (180, 192, 512)  # Apple's, and what a web manifest wants
FOR_EVER, A_DAY, AN_HOUR = "public, max-age=31536000, immutable", "public, max-age=86400", "public, max-age=3600"
# The steps ask Cal.com for times, and its limit is shared: they are for people. A done page is somebody's own, and
# so is what stands under /bookings.
CLOSED = ("/admin", "/api/", "/book-consultation/", "/bookings/")


@blueprint.get("/sitemap.xml")
@kept()
def sitemap() -> Response:
    """Without lastmod: a page also changes with the layout, and no row knows when it was changed."""
    return answer(render_template("pages/sitemap.xml", pages=found.all_pages()), "application/xml", AN_HOUR)


@blueprint.get("/robots.txt")
@kept()
def robots() -> Response:
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in CLOSED), ""]
    lines.append(f"Sitemap: {settings.public_url}/sitemap.xml")
    return answer("\n".join(lines) + "\n", "text/plain", AN_HOUR)


@blueprint.get("/site.webmanifest")
@kept()
def manifest() -> Response:
    said = {
        "name": settings.site_name,
        "short_name": settings.site_name if len(settings.site_name) <= 12 else settings.site_name.split()[0],
        "description": settings.site_summary,
        "lang": "en",
        "start_url": "/",
        "scope": "/",
        "display": "browser",
        "background_color": token("paper").hex,
        "theme_color": token("paper").hex,
        "icons": [
            {"src": f"/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any maskable"}
            for size in ICON_SIZES[1:]
        ],
    }
    return answer(json.dumps(said), "application/manifest+json", AN_HOUR)


@blueprint.get("/favicon.ico")
def icon_of_old() -> Response:
    return answer(favicon(), "image/x-icon", A_DAY)


@blueprint.get("/icon-<int:size>.png")
def icon(size: int) -> Response:
    if size not in ICON_SIZES:
        abort(404)
    return answer(icon_png(size), "image/png", A_DAY)


@blueprint.get("/apple-touch-icon.png")
def apple_icon() -> Response:
    """Where Apple's devices look by themselves."""
    return icon(ICON_SIZES[0])


@blueprint.get("/pictures/<version>/<path:page>.png")
@limiter.limit(limits.PICTURES)
def picture(version: str, page: str) -> AnyResponse:
    """The picture of a page. What was shared before its words changed leads to the picture of today."""
    shown = found.at("/" if page == found.FIRST else f"/{page}", current_app)
    if shown is None:
        abort(404)
    if version != shown.card.version:
        return redirect(shown.picture_path)
    return answer(card_png(shown.card), "image/png", FOR_EVER)


def answer(body: str | bytes, mimetype: str, how_long: str) -> Response:
    return Response(body, mimetype=mimetype, headers={"Cache-Control": how_long})
