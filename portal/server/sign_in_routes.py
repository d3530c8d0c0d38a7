"""Sign-in and sign-out: plain HTTP routes beside Reflex's, for cookies can only be set over HTTP.

``/auth/login`` sends the browser to the identity provider (OpenID Connect, authorization code
with PKCE and nonce) and ``/auth/callback`` brings it back; ``/auth/local`` is the sign-in of a
loopback-only installation. Either way the API answers an opaque session token, which the browser
holds in an HttpOnly cookie and no script sees.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from backend_client import (
    INTERACTIVE,
    ApiError,
    AsyncFareboxClient,
    ClientError,
    Unauthenticated,
)
from backend_client.tls import tls_context
from backend_client.types.accounts import (
    InvitationAccept,
    LocalSessionCreate,
    SessionChange,
    SessionCreate,
    SessionCreated,
)
from backend_client.types.texts import shown
from portal import routes
from portal.routes import safe_path
from portal.session.guard import callers, forwarded_for
from portal.settings import PortalSettings

log = logging.getLogger(__name__)

ROUND_TRIP_COOKIE = "farebox_sign_in"
ROUND_TRIP_SECONDS = 600
EXPLAINED = frozenset(
    {"not_invited", "invitation_not_found", "invitation_for_another", "already_member"}
)
"""Codes of the API that the sign-in page says more of."""

Answer = Callable[[Request], Awaitable[Response]]


class AuthRoutes:
    """The routes under ``/auth``, for one set of settings."""

    def __init__(self, settings: PortalSettings) -> None:
        self._settings = settings
        self._hosts = {urlsplit(origin).netloc for origin in settings.origins}
        self._oidc = None
        if settings.oidc_configured:
            secret = settings.oidc_client_secret
            self._oidc = OAuth().register(
                "farebox",
                client_id=settings.oidc_client_id,
                client_secret=secret.get_secret_value() if secret else None,
                server_metadata_url=f"{settings.oidc_issuer}/.well-known/openid-configuration",
                client_kwargs={
                    "scope": settings.oidc_scopes,
                    "code_challenge_method": "S256",
                    "verify": tls_context(),  # or each sign-in would read all certificates anew
                },
            )

    def mount(self) -> Mount:
        """The routes as a mount, with the signed cookie of the round trip on them alone."""
        chosen, secure = self._settings.cookie_secret, self._settings.secure
        round_trip = Middleware(
            SessionMiddleware,
            secret_key=chosen.get_secret_value() if chosen else secrets.token_hex(32),
            session_cookie=f"__Host-{ROUND_TRIP_COOKIE}" if secure else ROUND_TRIP_COOKIE,
            max_age=ROUND_TRIP_SECONDS,
            path="/" if secure else "/auth",  # as the prefix asks
            same_site="lax",
            https_only=secure,
        )
        auth = [
            Route("/login", self._at_own_host(self.log_in), methods=["GET"]),
            Route("/callback", self._at_own_host(self.callback), methods=["GET"]),
            Route("/local", self._from_own_page(self.local), methods=["POST"]),
            Route("/tenant", self._from_own_page(self.switch_tenant), methods=["POST"]),
            Route("/view", self._from_own_page(self.view_tenant), methods=["POST"]),
            Route("/leave", self._from_own_page(self.leave_view), methods=["POST"]),
            Route("/invitation", self._from_own_page(self.take_invitation), methods=["POST"]),
            Route("/logout", self._from_own_page(self.log_out), methods=["POST"]),
        ]
        return Mount("/auth", app=Starlette(routes=auth, middleware=[round_trip]))

    async def log_in(self, request: Request) -> Response:
        """Send the browser to the identity provider."""
        if self._oidc is None:
            return _back_to_sign_in("no_provider")
        callback = f"{self._origin(request)}/auth/callback"
        request.session["next"] = safe_path(request.query_params.get("next"))
        try:
            answer: Response = await self._oidc.authorize_redirect(request, callback)
        except httpx.HTTPError as problem:
            log.warning("The identity provider can't be reached: %s", problem)
            return _back_to_sign_in("provider_unreachable")
        return answer

    async def callback(self, request: Request) -> Response:
        """Take the browser back from the identity provider and begin a session."""
        if self._oidc is None:
            return _back_to_sign_in("no_provider")
        state = request.query_params.get("state", "")
        begun = await self._oidc.framework.get_state_data(request.session, state)
        next_path = request.session.pop("next", "/")
        if not begun:
            # Some providers refuse without saying which sign-in they speak of
            refused = "error" in request.query_params
            return _back_to_sign_in("provider_refused" if refused else "round_trip_expired")
        try:
            tokens = await self._oidc.authorize_access_token(request)
        except httpx.HTTPError as problem:
            log.warning("The identity provider can't be reached: %s", problem)
            return _back_to_sign_in("provider_unreachable")
        except (OAuthError, JoseError) as problem:
            log.warning("The identity provider refused: %s", problem)
            return _back_to_sign_in("provider_refused")
        identity = SessionCreate(
            id_token=tokens["id_token"],
            nonce=begun["nonce"],
            invitation=request.session.pop("invitation", None),
            **_seen_at(request),
        )
        try:
            async with self._client(request) as client:
                session = await client.sessions.create(identity)
        except ClientError as problem:
            log.warning("The API began no session: %s", problem)
            return _back_to_sign_in(_reason(problem, "not_accepted"))
        return self._signed_in(session, next_path)

    async def local(self, request: Request) -> Response:
        """Begin a session for the person at this machine."""
        async with request.form() as form:
            next_path = safe_path(str(form.get("next", "/")))
        try:
            secret = self._settings.local_sign_in_secret_file.read_text().strip()
        except OSError as problem:
            log.warning("The local sign-in's secret can't be read: %s", problem)
            return _back_to_sign_in("no_local")
        try:
            async with self._client(request) as client:
                session = await client.sessions.create_local(
                    LocalSessionCreate(secret=secret, **_seen_at(request))
                )
        except ClientError as problem:
            log.warning("The API began no local session: %s", problem)
            return _back_to_sign_in("no_local")
        invitation = request.session.pop("invitation", None)
        if invitation is not None and (
            refusal := await self._accept(request, session.token, invitation)
        ):
            return refusal
        return self._signed_in(session, next_path)

    async def take_invitation(self, request: Request) -> Response:
        """Accept an invitation for who is signed in, or keep it for the sign-in that follows.

        Its secret comes in a form's body: the page has it from the address's fragment, which is
        sent to no server and stands in no log.
        """
        async with request.form() as form:
            secret = str(form.get("invitation", ""))[:200]
        if not secret:
            return _back_to_sign_in("invitation_not_found")
        token = request.cookies.get(self._settings.session_cookie)
        if token:
            try:
                if refusal := await self._accept(request, token, secret):
                    return refusal
            except Unauthenticated:
                pass
            else:
                callers.forget(token)
                return RedirectResponse(routes.OVERVIEW, status_code=303)
        request.session["invitation"] = secret
        return RedirectResponse(routes.SIGN_IN + "/", status_code=303)

    async def _accept(self, request: Request, token: str, secret: str) -> Response | None:
        """Make the person of a session a member, and let it act there; return what refuses.

        Raises:
            Unauthenticated: the session has ended.
        """
        try:
            async with self._client(request, token) as client:
                joined = await client.invitations.accept(InvitationAccept(secret=secret))
                await client.sessions.switch_tenant(SessionChange(tenant_id=joined.tenant.id))
        except Unauthenticated:
            raise
        except (ClientError, ValidationError) as problem:
            log.warning("The API accepted no invitation: %s", type(problem).__name__)
            return _back_to_sign_in(_reason(problem, "invitation_not_found"))
        return None

    async def switch_tenant(self, request: Request) -> Response:
        """Act for another of the person's tenants, from the start page.

        A form and not an event: the page is reloaded, with nothing of the other tenant left.
        """
        token = request.cookies.get(self._settings.session_cookie, "")
        async with request.form() as form:
            change = SessionChange(tenant_id=str(form.get("tenant_id", "")))
        try:
            async with self._client(request, token) as client:
                await client.sessions.switch_tenant(change)
        except ClientError as problem:
            log.warning("The API did not switch the tenant: %s", problem)
            return _back_to_sign_in("session_ended")
        callers.forget(token)
        return RedirectResponse(routes.OVERVIEW, status_code=303)

    async def view_tenant(self, request: Request) -> Response:
        """Look at a customer's portal, from its start page; for the operator."""
        token = request.cookies.get(self._settings.session_cookie, "")
        async with request.form() as form:
            tenant_id = str(form.get("tenant_id", ""))
        try:
            async with self._client(request, token) as client:
                await client.sessions.view_tenant(tenant_id)
        except Unauthenticated:
            return _back_to_sign_in("session_ended")
        except ClientError as problem:
            log.warning("The API began no view of a tenant: %s", problem)
            return RedirectResponse(routes.CUSTOMERS + "/", status_code=303)
        callers.forget(token)
        return RedirectResponse(routes.OVERVIEW, status_code=303)

    async def leave_view(self, request: Request) -> Response:
        """Come back from a customer's portal to the operator's page of it."""
        token = request.cookies.get(self._settings.session_cookie, "")
        try:
            async with self._client(request, token) as client:
                me = await client.me.get()
                await client.sessions.leave_view()
        except ClientError as problem:
            log.warning("The API did not end the view of a tenant: %s", problem)
            return _back_to_sign_in("session_ended")
        callers.forget(token)
        viewed = me.viewing_until is not None
        back = routes.customer(me.tenant.id) if viewed else routes.OVERVIEW
        return RedirectResponse(back, status_code=303)

    async def log_out(self, request: Request) -> Response:
        """End the session, here and in the API."""
        answer = RedirectResponse(routes.SIGN_IN, status_code=303)
        cookie = self._settings.session_cookie
        answer.delete_cookie(cookie, httponly=True, samesite="lax", secure=self._settings.secure)
        if token := request.cookies.get(cookie):
            callers.forget(token)
            try:
                async with self._client(request, token) as client:
                    await client.sessions.end()
            except ClientError as problem:
                # The cookie goes in any case; the session ends by itself at its time
                log.warning("The API did not end the session: %s", problem)
        return answer

    def _client(self, request: Request, token: str | None = None) -> AsyncFareboxClient:
        client = AsyncFareboxClient(self._settings.api_url, token, profile=INTERACTIVE)
        if request.client is None:
            return client
        return client.with_headers(forwarded_for(request.client.host))

    def _signed_in(self, session: SessionCreated, next_path: str) -> Response:
        answer = RedirectResponse(next_path, status_code=303)
        lifetime = session.expires_at - datetime.now(UTC)
        answer.set_cookie(
            self._settings.session_cookie,
            session.token,
            max_age=max(0, int(lifetime.total_seconds())),
            httponly=True,
            samesite="lax",
            secure=self._settings.secure,
        )
        return answer

    def _origin(self, request: Request) -> str:
        return self._settings.public_url or f"http://{request.headers['host']}"

    def _at_own_host(self, answer: Answer) -> Answer:
        """Refuse a request for another host's name: somebody's DNS points here."""

        async def checked(request: Request) -> Response:
            if request.headers.get("host") not in self._hosts:
                return PlainTextResponse("This address is not the portal's.", status_code=421)
            return await answer(request)

        return checked

    def _from_own_page(self, answer: Answer) -> Answer:
        """Refuse a form that another site's page sent."""

        async def checked(request: Request) -> Response:
            if request.headers.get("origin") not in self._settings.origins:
                return PlainTextResponse("Sign in from the portal's own page.", status_code=403)
            return await answer(request)

        return self._at_own_host(checked)


def _seen_at(request: Request) -> dict[str, str | None]:
    """What tells the person's sessions apart, when they list them."""
    device = shown(request.headers.get("user-agent", ""), most=300)
    return {"device": device or None, "address": request.client.host if request.client else None}


def _reason(problem: Exception, otherwise: str) -> str:
    """Return the API's code where the sign-in page has a sentence for it."""
    code = problem.code if isinstance(problem, ApiError) else None
    return code if code in EXPLAINED else otherwise


def _back_to_sign_in(problem: str) -> Response:
    return RedirectResponse(f"{routes.SIGN_IN}?{urlencode({'problem': problem})}", status_code=303)
