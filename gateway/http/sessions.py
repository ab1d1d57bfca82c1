"""`DELETE /v1/sessions/{session_id}`: forget a session: its audio, results, state, report and slot."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from gateway.http.answers import answering_errors
from shared.errors import UnknownSession
from shared.ids import SessionId, is_session_id


def routes(ports: GatewayPorts) -> list[Route]:
    """The route. Its caller must know the session's id, and have its tenant's key where keys are needed."""

    async def delete(request: Request) -> Response:
        tenant = ports.auth.tenant(request.headers, request.query_params)
        session_id = request.path_params["session_id"]
        deleted = None
        if is_session_id(session_id):
            deleted = await ports.store.delete(SessionId(session_id), tenant)
        if deleted is None:
            raise UnknownSession("there is no such session; it may have ended or been deleted already")
        await ports.leases.release_deleted(SessionId(session_id), deleted.owner)
        await ports.batch.forget(SessionId(session_id), deleted.epoch)
        return Response(status_code=204)

    return [Route("/v1/sessions/{session_id}", answering_errors(delete), methods=["DELETE"])]
