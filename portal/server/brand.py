"""The seller's brand as browsers get it: a style sheet, the logo and links.

It is served and not built in, so that one build of the pages ships as any seller's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from portal.kit.accent import Scale, scale_of
from portal.server.build import static_directory
from portal.settings import LOGO_TYPES, PortalSettings

_FRESH: Final = {"Cache-Control": "public, max-age=300"}
"""A new brand is everywhere within five minutes."""


def brand_routes(settings: PortalSettings) -> list[Route]:
    """The routes, for the portal's app."""
    sheet = style_sheet(settings.brand_name, settings.brand_color)

    async def style(request: Request) -> Response:
        return Response(sheet, media_type="text/css", headers=_FRESH)

    async def logo(request: Request) -> Response:
        file = settings.brand_logo or Path(static_directory() / "logo.svg")
        return FileResponse(file, media_type=LOGO_TYPES[file.suffix.lower()], headers=_FRESH)

    async def links(request: Request) -> Response:
        listed = [{"name": name, "href": href} for name, href in settings.brand_links]
        return JSONResponse(listed, headers=_FRESH)

    return [
        Route("/brand.css", style, methods=["GET"]),
        Route("/brand/logo", logo, methods=["GET"]),
        Route("/brand/links.json", links, methods=["GET"]),
    ]


def style_sheet(name: str, color: str | None) -> str:
    """Return the style sheet with the brand's name, and its color in place of indigo.

    The name has no quotes or backslashes; the settings see to that.
    """
    rules = [f':root {{ --brand-name: "{name}"; }}']
    if color is not None:
        light, dark = scale_of(color, dark=False), scale_of(color, dark=True)
        # Each class twice: before the scales that the component library brings
        rules += [
            f":root:root, .radix-themes.light.light {{ {_tokens(light)} }}",
            f":root:root.dark, .radix-themes.dark.dark {{ {_tokens(dark)} }}",
            # The documentation's own, which follows the browser until somebody chooses
            f":root:root {{ --accent: light-dark({light.steps[10]}, {dark.steps[10]}); "
            f"--accent-ground: light-dark({light.steps[2]}, {dark.steps[2]}); "
            f"--accent-solid: {light.steps[8]}; --accent-on-solid: {light.contrast}; }}",
        ]
    return "\n".join(rules) + "\n"


def _tokens(scale: Scale) -> str:
    tokens = {str(number): step for number, step in enumerate(scale.steps, 1)}
    tokens |= {f"a{number}": step for number, step in enumerate(scale.see_through, 1)}
    tokens |= {
        "contrast": scale.contrast,
        "surface": f"{scale.steps[1]}cc",
        "indicator": scale.steps[8],
        "track": scale.steps[8],
    }
    return " ".join(f"--indigo-{name}: {value};" for name, value in tokens.items())
