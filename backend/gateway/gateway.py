"""The gateway: forward a call, and account for its usage in every case."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

import orjson
import structlog

from backend.accounts.principal import Principal
from backend.catalog.published import list_models
from backend.errors import ConfigurationError, FareboxError
from backend.gateway import relay
from backend.gateway.admission import Admission
from backend.gateway.attempts.attempts import Attempts
from backend.gateway.call import Call, spoken_for
from backend.gateway.costs import Cost
from backend.gateway.errors import ModelNotFound, UpstreamRefused
from backend.gateway.holds.bounds import require_fit
from backend.gateway.holds.holds import Holds
from backend.gateway.measures.measures import Measures
from backend.gateway.protocols.parts.base import Answered, Asked, Protocol
from backend.gateway.protocols.parts.lenient_json import dumps
from backend.gateway.recorder import Recorder
from backend.gateway.relay import Relay
from backend.gateway.request_log.entries import Entry, refused_entry
from backend.gateway.request_log.log import RequestLog
from backend.gateway.tags import tags_of
from backend.gateway.upstreams.metrics import UpstreamMetrics
from backend.gateway.upstreams.process_report import ProcessReport
from backend.gateway.upstreams.rules import passes_nowhere, without
from backend.gateway.upstreams.stored import stored_upstreams
from backend.gateway.upstreams.targets import Targets
from backend.ids import new_id
from backend.kit.periodic import OUTAGES, wait
from backend.kit.sealing import Sealer
from backend.metering.ingest.stream import UsageStream
from backend.metering.tokens import Tokenizer, count_for, tokenizer_for
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.catalog import CatalogModel
from backend_client.types.models import ModelInfo

_log = structlog.get_logger(__name__)

_SHORT_BYTES: Final = 8_000
"""A body up to here is counted in about a millisecond."""
_UPSTREAMS_SECONDS: Final = 2.0
"""How often a process looks for upstreams that were set at another."""
_TOKENIZERS_SECONDS: Final = 10.0
"""How often it looks for models that it did not serve before."""

Result = TypeVar("Result")


class Gateway:
    """One a process; ``await close()`` when done, which waits until all usage is recorded."""

    def __init__(self, settings: Settings, database: Database, stream: UsageStream) -> None:
        self._drift_sample = settings.drift_sample
        self.sealer = Sealer(settings.sealing_key)
        self._database = database
        self._configured = settings.upstreams
        self._targets = Targets()
        self._measures = Measures(database)
        self.metrics = UpstreamMetrics(self._measures.attempts)
        self._attempts = Attempts(self.metrics)
        self._admission = Admission(database)
        self._holds = Holds(database)
        self._report = ProcessReport(database, self._targets)
        self._log = RequestLog(
            database,
            kept=settings.request_log_days > 0,
            price=self._price,
            registry=self.metrics.registry,
        )
        self._recorder = Recorder(database, stream, self._holds, self._measures, self._log)

        self._have_targets = asyncio.Event()
        self._reading = asyncio.Lock()
        self._stop = asyncio.Event()
        self._watching = asyncio.create_task(self._watch_upstreams())
        self._loading = asyncio.create_task(self._load_tokenizers())

    async def read_upstreams(self) -> None:
        """Let calls go to the upstreams that there are now; raises the database's errors."""
        async with self._reading:  # what was read first must not be used last
            async with self._database.begin() as connection:
                stored = await stored_upstreams(connection, self.sealer)
            names = {upstream.name for upstream in self._configured}
            await self._targets.use(
                [*self._configured, *(each for each in stored if each.name not in names)]
            )

    async def _watch_upstreams(self) -> None:
        """Notice what other processes set, and tell them how upstreams fare here.

        Those of the settings serve during an outage too.
        """
        while not self._stop.is_set():
            try:
                await self.read_upstreams()
            except OUTAGES as error:
                _log.warning("gateway.upstreams_wait", error=repr(error))
                await self._use_configured()
            except Exception:  # noqa: BLE001 - those who wait for targets would wait for ever
                _log.exception("gateway.upstreams_failed")
                await self._use_configured()
            self._have_targets.set()
            await self._report.publish()
            await wait(_UPSTREAMS_SECONDS, self._stop)

    async def _use_configured(self) -> None:
        if not self._have_targets.is_set():
            await self._targets.use(self._configured)

    async def _load_tokenizers(self) -> None:
        """Load what the served models are counted by, so that no call waits for that.

        Those too that are served, or on sale, only later.
        """
        await self._have_targets.wait()
        unusable: set[tuple[str, str | None]] = set()  # until the catalog names another
        while True:
            models: Iterable[CatalogModel] = ()
            try:
                models = (await self._admission.models()).values()
            except OUTAGES as error:
                _log.warning("gateway.tokenizers_wait", error=repr(error))
            for model in models:
                named = (model.id, model.tokenizer)
                if not self._targets.serves(model.id) or named in unusable:
                    continue
                try:
                    await self._tokenizer_of(model).load()
                except ConfigurationError as error:
                    unusable.add(named)
                    _log.error("gateway.tokenizer_unusable", model=model.id, detail=error.detail)
            await asyncio.sleep(_TOKENIZERS_SECONDS)

    async def models(self, caller: Principal) -> list[ModelInfo]:
        """Return the models that the caller can call now, with its plan's prices."""
        await self._have_targets.wait()
        allowed = await self._admission.allowed_models(caller)
        available = {model for model in allowed if self._targets.serves(model)}
        plan = await self._admission.plan_of(caller)
        async with self._database.begin() as connection:
            models = await list_models(connection, available=available, plan=plan)
        return [model for model in models if model.available]

    async def tokenizer(self, caller: Principal, model_id: str) -> Tokenizer:
        """Return the tokenizer of a model that the caller may use.

        Raises ``ModelNotFound``, and ``ConfigurationError`` if the catalog names an unknown one. A
        model can be counted for without a provider.
        """
        model = (await self._admission.models()).get(model_id)
        if model is None or (caller.models is not None and model_id not in caller.models):
            raise ModelNotFound(f"The model {model_id!r} does not exist or is not yours to use.")
        count_for(caller.tenant_id)
        await self._have_targets.wait()
        return self._tokenizer_of(model)

    def _tokenizer_of(self, model: CatalogModel) -> Tokenizer:
        targets = self._targets.serving(model.id)
        if not targets:
            return tokenizer_for(model.tokenizer, model=model.id, remote=None)
        first = targets[0]
        return tokenizer_for(model.tokenizer, model=first.model, remote=first.provider)

    async def begin(
        self, caller: Principal, protocol: Protocol, body: bytes, headers: Mapping[str, str]
    ) -> Call:
        """Check a request, admit it and make its holds; no provider has been called yet.

        Raises the gateway's errors, and ``Unavailable`` while its usage could not be recorded.
        """
        began, asked = time.monotonic(), None
        # An id of our own: callers could repeat one of theirs to avoid the bill.
        event_id = new_id("req")
        try:
            asked = protocol.receive(body, headers.get("content-type", ""))
            return await self._begin(caller, protocol, asked, len(body), headers, event_id)
        except FareboxError as error:
            model, streamed = (None, False) if asked is None else (asked.model, asked.stream)
            self._log.note(
                refused_entry(
                    caller, event_id, protocol.name, error, began, model=model, streamed=streamed
                )
            )
            # What nobody serves has any number of names
            serves = asked is not None and self._targets.serves(asked.model)
            self._measures.note_refusal(caller, model if serves and model else "", error)
            raise

    async def _begin(
        self,
        caller: Principal,
        protocol: Protocol,
        asked: Asked,
        size: int,
        headers: Mapping[str, str],
        event_id: str,
    ) -> Call:
        if protocol.headers:
            passed = {name: headers[name] for name in protocol.headers if name in headers}
            if passed:
                asked = replace(asked, headers=passed)
        await self._have_targets.wait()
        admitted = await self._admission.admit(caller, asked.model)
        serving = self._targets.serving(asked.model)
        if not serving:
            raise ModelNotFound(f"The model {asked.model!r} has no provider at present.")
        targets = [target for target in serving if spoken_for(protocol, target) is not None]
        if not targets:
            raise ModelNotFound(
                f"The model {asked.model!r} is not served by this protocol ({protocol.name})."
            )
        left_out = passes_nowhere(
            {id(target.upstream): target.upstream.rules for target in targets}.values(),
            asked.document,
        )
        if left_out:
            document = orjson.dumps(without(asked.document, left_out))
            asked = replace(protocol.read(document), headers=asked.headers)
        require_fit(admitted.model, asked, size)
        self._recorder.require_room()
        count_for(caller.tenant_id)
        call = Call(
            admitted,
            targets,
            asked,
            event_id,
            is_short=size <= _SHORT_BYTES,
            is_sample=_share(event_id) < self._drift_sample,
            body_bytes=size,
        )
        call.left_out = left_out
        values = await self._admission.values_of(caller)
        priced = frozenset[str]() if values is None else values.priced_labels
        call.tags = tags_of(asked.document, headers, priced=priced)
        await self._holds.reserve(call)
        return call

    async def answer(self, call: Call) -> tuple[bytes, str, Cost | None]:
        """Return a whole answer, its media type and its cost, once its usage is recorded."""
        answered, content = await self._attempted(call, self._whole(call))
        call.answered, call.usage, call.said = True, answered.usage, answered.said
        call.answer_id, call.used_tier = answered.answer_id, answered.tier
        call.answer_document = answered.document
        call.heard()
        cost = await self._recorder.record(call, "completed", meanwhile=self.cost)
        return content, answered.media_type, cost

    async def _whole(self, call: Call) -> tuple[Answered, bytes]:
        """Return an answer and its bytes, made before it bills: none is paid that can't be sent."""
        answered = await self._attempts.ask(call)
        content = answered.content
        return answered, dumps(answered.document) if content is None else content

    async def cost(self, call: Call) -> Cost | None:
        """Return what a call that was answered adds to the bill by its units, unrounded.

        Of tiers the dearest price counts, and units that the plan includes count as if they were
        paid. None without a plan, and where it is not known yet: an answer is not kept back for it.
        """
        try:
            return await self._cost(
                call.admitted.caller,
                call.admitted.model.id,
                call.quantities,
                call.labels,
                call.began,
            )
        except OUTAGES as error:
            _log.warning("gateway.cost_unknown", call=call.event_id, error=repr(error))
            return None

    async def _cost(
        self,
        caller: Principal,
        model: str,
        quantities: Mapping[str, Decimal],
        labels: Mapping[str, str],
        began: datetime,
    ) -> Cost | None:
        values = await self._admission.values_of(caller)
        if values is None or not quantities:
            return None
        amount = values.cost(model, quantities, began, values.labels_of(labels))
        return Cost(amount, values.plan.currency)

    async def _price(self, entry: Entry) -> tuple[Decimal, str] | None:
        """Return what a logged call costs."""
        cost = await self._cost(
            entry.caller, entry.model, entry.quantities, entry.labels, entry.time
        )
        return None if cost is None else (cost.amount, cost.currency)

    async def open_stream(self, call: Call) -> Relay:
        """Begin a streamed answer; raises as ``answer`` does if that fails within some seconds.

        One that takes longer is kept alive, and a failure is told in the stream.
        """
        opening = asyncio.create_task(self._attempted(call, self._attempts.open(call)))
        try:
            # What is no events has no comments that could keep it alive
            patience = None if call.asked.is_raw else relay.KEEP_ALIVE_SECONDS
            await asyncio.wait({opening}, timeout=patience)
        except asyncio.CancelledError:
            if not call.may_think_unseen:
                opening.cancel()
                await asyncio.wait({opening})
            # It may have been opened at this very moment, and is no less to be recorded and closed
            Relay(call, opening, self._recorder, self.cost).abandon()
            raise
        if opening.done() and (error := opening.exception()) is not None:
            raise error
        return Relay(call, opening, self._recorder, self.cost)

    async def _attempted(self, call: Call, attempts: Coroutine[Any, Any, Result]) -> Result:
        """Return what the attempts come to; a call that ends here has its event all the same."""
        try:
            return await attempts
        except FareboxError as error:
            call.refused, call.error = isinstance(error, UpstreamRefused), error
            await self._recorder.record(call, "failed")
            raise
        except asyncio.CancelledError:
            self._recorder.record_later(call, "aborted")
            raise
        except Exception:  # a fault of ours: what the call holds is settled nevertheless
            self._recorder.record_later(call, "failed")
            raise

    async def close(self) -> None:
        """Wait until the usage of every call is recorded, then disconnect."""
        self._stop.set()
        await asyncio.wait({self._watching})
        await self._report.withdraw()
        self._loading.cancel()
        await asyncio.wait({self._loading})
        await self._recorder.close()
        await self._log.close()
        await self._measures.close()
        await self._holds.close()
        await self._targets.close()


def _share(event_id: str) -> float:
    """Return a number from 0 to 1 that is a call's own: the end of its id is random."""
    return int(event_id[-8:], 16) / 16**8
