"""How Reflex builds and serves the portal. Addresses come from ``portal.settings``."""

import reflex as rx

from portal.kit.theme import THEME, Typeface
from portal.server.lean_scripts import LeanScripts
from portal.server.same_origin import SameOriginPlugin
from portal.settings import portal_settings

config = rx.Config(
    app_name="farebox",
    app_module_import="portal.app",
    # The pages are built once and served from any address: SameOriginPlugin replaces this one
    api_url=SameOriginPlugin.PLACEHOLDER,
    deploy_url=None,
    cors_allowed_origins=portal_settings().origins,
    telemetry_enabled=False,
    show_built_with_reflex=False,
    state_manager_mode="memory",
    redis_token_expiration=3600,
    default_color_mode="system",
    plugins=[
        rx.plugins.RadixThemesPlugin(theme=THEME),
        SameOriginPlugin(),
        LeanScripts(),
        Typeface(),
    ],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
