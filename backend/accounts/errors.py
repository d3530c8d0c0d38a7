"""Why something can't be done with tenants, their members and their credentials."""

from __future__ import annotations

from backend.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    MalformedRequest,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from backend_client.types.problems import FieldError


class InvalidCredential(Unauthenticated):
    """Nobody has this key or session any longer, or ever had: sign in, or make another key."""

    code = "invalid_credential"
    title = "This credential is unknown, has expired or was revoked"


class TooManyAttempts(RateLimited):
    """Too much that was tried from here, or for this tenant, does not exist: wait, as it says."""

    code, title = "too_many_attempts", "Too many attempts have failed; wait before the next"


class InvalidIdentityToken(Unauthenticated):
    """The identity provider's ID token is not valid, or was made for another sign-in or client."""

    code, title = "invalid_identity_token", "The identity provider's token is not valid"


class IdentityProviderUnavailable(Unavailable):
    """Nobody can sign in with it for now; sessions that are there go on."""

    code, title = "identity_provider_unavailable", "The identity provider can't be reached"


class PermissionMissing(Forbidden):
    """The credential's role or scopes don't have the permission that `detail` names."""

    code, title = "permission_missing", "The credential does not permit this"


class OwnerRequired(Forbidden):
    """Only an owner of the tenant may make, invite or remove an owner."""

    code, title = "owner_required", "Only an owner can do this"


class ViewingOnly(Forbidden):
    """An operator who looks at a tenant's portal can change nothing there: leave the view first."""

    code, title = "viewing_only", "You look at this tenant, and can change nothing"


class PersonRequired(Forbidden):
    """Only a person who is signed in may do this, not a key."""

    code, title = "person_required", "Only a person, signed in, can do this"


class NotInvited(Forbidden):
    """Sign-up is by invitation, and none is open for this person's address: ask the seller."""

    code, title = "not_invited", "Nobody has invited you yet"


class OperatorHasNoTenant(Forbidden):
    """This route needs a credential of a tenant's."""

    code, title = "operator_has_no_tenant", "An operator's key acts for no tenant"


class TenantNotFound(NotFound):
    """No tenant has this id or slug, or the caller is none of its members."""

    code, title = "tenant_not_found", "There is no such tenant"


class TenantSlugTaken(Conflict):
    """A slug is one tenant's alone: choose another."""

    code, title = "tenant_slug_taken", "Another tenant has this slug"


class ApplicationNotFound(NotFound):
    """The tenant has no such application."""

    code, title = "application_not_found", "There is no such application"


class ApplicationNameTaken(Conflict):
    """A name is one application's of the tenant alone: choose another."""

    code, title = "application_name_taken", "Another application has this name"


class ApplicationHasKeys(Conflict):
    """Some of the application's keys still work or may again: revoke them first."""

    code, title = "application_has_keys", "Keys of this application still work"


class ApplicationArchived(Conflict):
    """The application is archived: take it back from the archive, or choose another."""

    code, title = "application_archived", "This application is archived"


class LastApplication(Conflict):
    """A tenant keeps an application that is not archived; what is asked without a key is its."""

    code, title = "last_application", "A tenant keeps an application in use"


class KeyNotFound(NotFound):
    """The tenant has no such API key."""

    code, title = "key_not_found", "There is no such key"


class KeyRevoked(Conflict):
    """The API key is revoked, and no change brings it back: make another."""

    code, title = "key_revoked", "This key is revoked for good; make another"


class AddressNotAllowed(Forbidden):
    """The API key has a list of addresses that it is taken from, and this is none of them."""

    code, title = "address_not_allowed", "This key is not taken from here"


class OriginNotAllowed(Forbidden):
    """A web page sent the API key, and its origin is none of those that the key is taken from."""

    code, title = "origin_not_allowed", "This key is not taken from this web page"


class KeyDisabled(Unauthenticated):
    """The API key is disabled for now; somebody who may change the tenant's keys can enable it."""

    code, title = "key_disabled", "This key is disabled for now"


class ScannerNotConfigured(NotFound):
    """The installation takes no messages of a secret scanner."""

    code, title = "scanner_not_configured", "No secret scanner is configured here"


class ScanSignatureWrong(MalformedRequest):
    """The message of a secret scanner is signed by nobody, or by none of its keys."""

    code, title = "scan_signature_wrong", "The scanner's signature is missing or wrong"


class ScannerKeysUnavailable(Unavailable):
    """The secret scanner's keys can't be fetched: send the message again."""

    code, title = "scanner_keys_unavailable", "The secret scanner's keys can't be fetched"


class KeyAlreadyCreated(Conflict):
    """A request with this `Idempotency-Key` made the key already; its secret is not shown again."""

    code, title = "key_already_created", "An earlier request made this key"


class TooManySecrets(Conflict):
    """As many old secrets of the API key as may be still work: wait, or make another key."""

    code, title = "too_many_secrets", "Too many old secrets of this key still work"


class ScopeNotHeld(Forbidden):
    """Nobody can give a key a scope that they don't have themselves."""

    code, title = "scope_not_held", "You can't give a scope that you don't have"


class ExpiryPassed(InvalidInput):
    """The key would have expired already: choose a later time."""

    code, title = "expiry_passed", "The key would have expired already"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError(field="expires_at", detail="must be in the future")])


class OperatorKeyNotFound(NotFound):
    """No key of the operator's has this id."""

    code, title = "operator_key_not_found", "There is no such operator key"


class OperatorGrantNotFound(NotFound):
    """Nobody of this address or subject was made an operator by a grant."""

    code, title = "operator_grant_not_found", "There is no such operator's grant"


class MemberNotFound(NotFound):
    """The tenant has no such member."""

    code, title = "member_not_found", "There is no such member"


class AlreadyMember(Conflict):
    """There is nothing to accept; the invitation stays open."""

    code, title = "already_member", "You are a member of this tenant already"


class MemberHasKeys(Conflict):
    """The member made API keys that work: say what becomes of them, `revoke` or `hand_over`."""

    code, title = "member_has_keys", "This member made keys that still work"


class HeirNotAllowed(InvalidInput):
    """Keys are handed over to another member of the tenant who may make keys."""

    code, title = "heir_not_allowed", "Keys can't be handed over to this person"

    def __init__(self) -> None:
        detail = "another member who may make keys"
        super().__init__(errors=[FieldError(field="hand_over_to", detail=detail)])


class LastOwner(Conflict):
    """The only owner can't be removed or get another role."""

    code = "last_owner"
    title = "A tenant needs an owner; make someone else an owner first"


class RoleNotAssignable(InvalidInput):
    """`operator` is the role of the API's seller; no member of a tenant can have it."""

    code, title = "role_not_assignable", "operator is the seller's role, not a member's"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError(field="role", detail="not a role in a tenant")])


class SessionNotFound(NotFound):
    """The caller has no such session; it may have ended."""

    code, title = "session_not_found", "There is no such session"


class InvitationNotFound(NotFound):
    """It never was, has expired, was used or was withdrawn: ask for a new one."""

    code, title = "invitation_not_found", "There is no such invitation"


class InvitationForAnother(Forbidden):
    """The invitation is for another address than the identity provider has verified of you."""

    code, title = "invitation_for_another", "This invitation is for somebody else"


class InvitationAlreadyAccepted(Conflict):
    """The invitation can't be withdrawn, since it was accepted: remove the member."""

    code = "invitation_already_accepted"
    title = "This invitation was accepted; remove the member instead"


class IdempotencyKeyReused(Conflict):
    """The `Idempotency-Key` came before with another request."""

    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for a different request"
