"""OpenAI's routes. Their errors have OpenAI's shape."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from backend.accounts.principal import Permission, Principal
from backend.api import gateway_bodies as bodies
from backend.api.dependencies import ServicesNow, needs
from backend.api.gateway_calls import serve
from backend.api.gateway_models import anthropic_model, anthropic_models, openai_model
from backend.api.path_parameters import ModelId
from backend.gateway.errors import ModelNotFound
from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.completions import COMPLETIONS
from backend.gateway.protocols.embeddings import EMBEDDINGS
from backend.gateway.protocols.image_edits import IMAGE_EDITS
from backend.gateway.protocols.images import IMAGES
from backend.gateway.protocols.moderations import MODERATIONS
from backend.gateway.protocols.rerank import RERANK
from backend.gateway.protocols.responses import RESPONSES
from backend.gateway.protocols.routes import shape_of
from backend.gateway.protocols.speech import SPEECH
from backend.gateway.protocols.transcriptions import TRANSCRIPTIONS, TRANSLATIONS
from backend_client.types.problems import OpenAIProblem

router = APIRouter(
    tags=["openai"],
    responses={"default": {"model": OpenAIProblem, "description": "An error in OpenAI's shape"}},
)

User = Annotated[Principal, Depends(needs(Permission.INFERENCE))]


@router.get("/v1/models")
async def get_models(services: ServicesNow, caller: User, request: Request) -> dict[str, Any]:
    """List the models that the caller can call now, with what they cost on its plan.

    Anthropic's clients, which send `anthropic-version`, get Anthropic's form of it.
    """
    models = await services.gateway.models(caller)
    if shape_of(request.url.path, request.headers) == "anthropic":
        return anthropic_models(models)
    return {"object": "list", "data": [openai_model(model) for model in models]}


@router.get("/v1/models/{model:path}")
async def get_model(
    services: ServicesNow, caller: User, request: Request, model: ModelId
) -> dict[str, Any]:
    """Return one model."""
    models = await services.gateway.models(caller)
    for info in models:
        if info.id == model:
            shape = shape_of(request.url.path, request.headers)
            return anthropic_model(info) if shape == "anthropic" else openai_model(info)
    raise ModelNotFound(f"The model {model!r} does not exist or is not yours to use.")


@router.post("/v1/chat/completions", openapi_extra=bodies.CHAT, response_class=Response)
async def post_chat_completions(services: ServicesNow, caller: User, request: Request) -> Response:
    """Complete a chat, at once or streamed; its usage is recorded in both cases."""
    return await serve(services.gateway, caller, CHAT, request)


@router.post("/v1/completions", openapi_extra=bodies.COMPLETION, response_class=Response)
async def post_completions(services: ServicesNow, caller: User, request: Request) -> Response:
    """Continue a text, at once or streamed."""
    return await serve(services.gateway, caller, COMPLETIONS, request)


@router.post("/v1/embeddings", openapi_extra=bodies.EMBEDDING, response_class=Response)
async def post_embeddings(services: ServicesNow, caller: User, request: Request) -> Response:
    """Turn texts into vectors."""
    return await serve(services.gateway, caller, EMBEDDINGS, request)


@router.post("/v1/responses", openapi_extra=bodies.RESPONSE, response_class=Response)
async def post_responses(services: ServicesNow, caller: User, request: Request) -> Response:
    """Answer by OpenAI's Responses, at once or streamed."""
    return await serve(services.gateway, caller, RESPONSES, request)


@router.post("/v1/images/generations", openapi_extra=bodies.IMAGE, response_class=Response)
async def post_images(services: ServicesNow, caller: User, request: Request) -> Response:
    """Make pictures from a text; each counts, and the tokens that the provider reports."""
    return await serve(services.gateway, caller, IMAGES, request)


@router.post("/v1/audio/speech", openapi_extra=bodies.SPEECH, response_class=Response)
async def post_speech(services: ServicesNow, caller: User, request: Request) -> Response:
    """Read a text aloud; its characters count, and the tokens that a stream of events reports."""
    return await serve(services.gateway, caller, SPEECH, request)


@router.post(
    "/v1/audio/transcriptions", openapi_extra=bodies.TRANSCRIPTION, response_class=Response
)
async def post_transcriptions(services: ServicesNow, caller: User, request: Request) -> Response:
    """Write down what is said in a file, at once or streamed; its seconds count, or its tokens."""
    return await serve(services.gateway, caller, TRANSCRIPTIONS, request)


@router.post("/v1/audio/translations", openapi_extra=bodies.TRANSLATION, response_class=Response)
async def post_translations(services: ServicesNow, caller: User, request: Request) -> Response:
    """Write down in English what is said in a file."""
    return await serve(services.gateway, caller, TRANSLATIONS, request)


@router.post("/v1/images/edits", openapi_extra=bodies.IMAGE_EDIT, response_class=Response)
async def post_image_edits(services: ServicesNow, caller: User, request: Request) -> Response:
    """Make pictures from others and a text; each counts, and the tokens that are reported."""
    return await serve(services.gateway, caller, IMAGE_EDITS, request)


@router.post("/v1/moderations", openapi_extra=bodies.MODERATION, response_class=Response)
async def post_moderations(services: ServicesNow, caller: User, request: Request) -> Response:
    """Judge whether texts are harmful."""
    return await serve(services.gateway, caller, MODERATIONS, request)


@router.post("/v1/rerank", openapi_extra=bodies.RERANK, response_class=Response)
async def post_rerank(services: ServicesNow, caller: User, request: Request) -> Response:
    """Order documents by how well they answer a question."""
    return await serve(services.gateway, caller, RERANK, request)
