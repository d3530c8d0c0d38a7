"""The start page: where spend and usage stand, and the first steps."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.features.overview.rows import QuotaUse
from portal.features.overview.state import Overview
from portal.kit.blocks import card, code, figure
from portal.kit.vars import each, length, negated, pick
from portal.shared.forecast.card import forecast_chart
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Overview,
        content=(
            loaded(
                Overview,
                rx.flex(
                    _figures(),
                    _forecast(),
                    # Below what is loaded first, which it would be pushed away by
                    rx.cond(Overview.phase != "loading", rx.fragment(_quotas(), _start())),
                    direction="column",
                    spacing="5",
                ),
            ),
        ),
    )


def _figures() -> rx.Component:
    loading = Overview.phase == "loading"
    return rx.grid(
        rx.cond(
            Overview.sees_spend | negated(Overview.identified),
            rx.fragment(
                figure("Spend so far", Overview.spend, Overview.period_name, loading=loading),
                figure(
                    "Expected total",
                    Overview.expected,
                    Overview.band,
                    loading=(Overview.expected == "") & (Overview.forecast_problem == ""),
                ),
            ),
        ),
        figure("Tokens today", Overview.tokens_today, Overview.requests_today, loading=loading),
        figure(
            "Tokens this month", Overview.tokens_period, Overview.requests_period, loading=loading
        ),
        columns=rx.breakpoints(initial="2", lg="4"),
        spacing="4",
    )


def _forecast() -> rx.Component:
    return rx.cond(
        Overview.sees_spend | negated(Overview.identified),
        forecast_chart(
            spec=Overview.spec,
            rows=Overview.rows,
            description=Overview.description,
            problem=Overview.forecast_problem,
        ),
    )


def _quotas() -> rx.Component:
    return rx.cond(
        length(Overview.quotas) > 0,
        card(
            rx.flex(each(Overview.quotas, _quota), direction="column", spacing="4"),
            heading="Quota",
            aside=rx.text(Overview.plan, " plan", size="2", color_scheme="gray"),
        ),
    )


def _quota(quota: QuotaUse, place: int) -> rx.Component:
    return rx.box(
        rx.flex(
            rx.text(quota.name, size="2"),
            rx.text(quota.used, " of ", quota.allowed, size="2", color_scheme="gray"),
            justify="between",
            margin_bottom="6px",
        ),
        rx.progress(
            value=quota.percent,
            size="2",
            color_scheme=pick(quota.percent >= 90, "red", "indigo"),
            aria_label=quota.name,
        ),
        rx.text(
            pick(quota.hard, "Hard limit. ", ""),
            pick(length(Overview.quota_outlooks) > place, Overview.quota_outlooks[place], ""),
            size="1",
            color_scheme="gray",
            margin_top="var(--space-1)",
        ),
    )


def _start() -> rx.Component:
    return rx.grid(
        card(
            rx.flex(
                _step(
                    "1",
                    "Create an API key",
                    "Shown once; store it with your secrets.",
                    routes.KEYS,
                ),
                _step(
                    "2",
                    "Try a model",
                    "Ask in the playground and watch tokens and cost.",
                    routes.PLAYGROUND,
                ),
                _step(
                    "3",
                    "Watch it arrive",
                    "Usage shows within two seconds of a call.",
                    routes.USAGE,
                ),
                direction="column",
                spacing="4",
            ),
            heading="Quick start",
        ),
        card(
            code(
                "from openai import OpenAI\n\n"
                "client = OpenAI(\n"
                '    base_url="' + Overview.api_url + '/v1",\n'
                '    api_key="fb_live_…",\n'
                ")",
                label="Python: a client for this API",
            ),
            rx.text(
                "OpenAI’s own packages work as they are: only the address and the key change.",
                size="2",
                color_scheme="gray",
                margin_top="var(--space-3)",
            ),
            heading="Connect",
        ),
        columns=rx.breakpoints(initial="1", md="2"),
        spacing="4",
    )


def _step(number: str, name: str, text: str, route: str) -> rx.Component:
    return rx.flex(
        rx.badge(number, size="2", radius="full", variant="soft"),
        rx.box(
            rx.link(name, href=route, size="2", weight="medium"),
            rx.text(text, size="2", color_scheme="gray"),
        ),
        spacing="3",
        align="start",
    )
