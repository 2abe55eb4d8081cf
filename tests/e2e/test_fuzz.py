"""Whatever fits the documents, and much that does not, gets an answer that the documents foresee, and never a 5xx.

schemathesis makes the requests out of each service's own OpenAPI document. Each change is tried on ground of its own,
where there is one of everything; ids of what is there take the place of those that are made up, so that not everything
ends at "not found". `make fuzz` tries more, and other, requests.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok
from schemathesis.generation.modes import GenerationMode

from tests.fixtures.properties import SEARCH
from tests.fixtures.services import ADMIN_TOKEN, Stack

CHECKED: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
FEW, MANY = 1, 150
READING: Final = ("GET", "HEAD")
# What takes away keys, tokens and users, and what has every message of the app looked at.
OF_THE_APP: Final = (
    "/admin",
    "/api/app",
    "/api/auth",
    "/api/users",
    "/api/moderation/hook",
    "/api/moderation/word-list",
)
POLL: Final = {"question": "?", "options": [{"id": "y", "text": "y"}, {"id": "n", "text": "n"}]}
# What a documented example is answered with where it cannot succeed by itself.
EXAMPLE_STATUS: Final[Mapping[str, int]] = {
    # Made-up ids.
    "DELETE /admin/apps/{app_id}/keys/{key_id}": 404,
    "DELETE /api/app/keys/{key_id}": 404,
    "GET /api/exports/{export_id}": 404,
    "GET /api/exports/{export_id}/content": 404,
    "GET /api/erasures/{erasure_id}": 404,
    "GET /api/imports/{import_id}": 404,
    "DELETE /api/legal-holds/{hold_id}": 404,
    # Nobody is banned from a channel that was just made, and nothing waits there.
    "DELETE /api/channels/{channel_id}/bans/{user_id}": 404,
    "POST /api/channels/{channel_id}/messages/{message_id}/reject": 409,
    "POST /api/moderation/held/{message_id}/reject": 409,
    # One person alone writes the message's text.
    "GET /api/channels/{channel_id}/messages/{message_id}/ops": 409,
    "POST /api/channels/{channel_id}/messages/{message_id}/ops": 409,
    # Whoever tries wrote the message.
    "POST /api/channels/{channel_id}/messages/{message_id}/report": 400,
    "POST /api/moderation/{message_id}/report": 400,
    # An address that nobody signed.
    "PUT /api/uploads/{upload_id}/data": 403,
    # Whoever tries is the channel's only owner.
    "POST /api/channels/{channel_id}/leave": 409,
    # The file is no picture.
    "GET /api/uploads/{upload_id}/thumbnail": 404,
    "HEAD /api/uploads/{upload_id}/thumbnail": 404,
}


@schemathesis.serializer("application/x-ndjson")
def as_it_is(_: Any, content: Any) -> Any:
    """Lines to be imported: bytes, as the document has them made up."""
    return content


class Ground:
    """An app in which there is one of everything, and who may call."""

    def __init__(self, stack: Stack, session: requests.Session, *, with_webhook: bool) -> None:
        self._stack, self._session = stack, session
        self.credentials: dict[str, dict[str, str]] = {
            "AdminToken": {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        }
        app = self._made("/admin/apps", {"name": "app"}, "AdminToken")
        self.credentials["ApiKey"] = {"X-API-Key": app["apiKey"]}
        users = [{"userId": user} for user in ("ann", "bob", "cleo")]
        self._made("/api/users/bulk-ensure", {"users": users}, "ApiKey")
        for user, name in (("ann", "UserToken"), ("cleo", "Another")):
            token = self._made("/api/auth/tokens", {"userId": user}, "ApiKey")["token"]
            self.credentials[name] = {"Authorization": f"Bearer {token}"}
        self.ids = {"app_id": app["id"], "user_id": "bob", "reaction_type": "👍"}
        self._with_webhook = with_webhook
        self.renew()

    def renew(self) -> None:
        """One of everything again, whatever became of the ones before; the app and its users stay."""
        self.ids |= self._webhook() if self._with_webhook else self._things()

    def _things(self) -> dict[str, str]:
        channel = self._made("/api/channels", {"type": "team", "name": "c", "memberIds": ["bob", "cleo"]})[
            "id"
        ]
        room = f"/api/channels/{channel}"
        message = self._made(f"{room}/messages", {"text": "Hello"})["id"]
        self._made(f"{room}/messages/{message}/reactions", {"type": "👍"})
        report = self._made(f"{room}/messages/{message}/report", {"reason": "spam"}, "Another")
        entries = {"entries": [{"phrase": "zwiebelkuchen", "action": "mask"}]}
        listed = self._made("/api/moderation/word-list", entries, "ApiKey", method="PUT")["entries"]
        hook = {"url": "https://example.com/before-send", "enabled": False}
        self._made("/api/moderation/hook", hook, "ApiKey", method="PUT")
        workspace = self._made("/api/workspaces", {"name": "w"})["id"]
        self._made(f"/api/workspaces/{workspace}/members", {"userIds": ["bob"]})
        invites = self._made(f"/api/workspaces/{workspace}/invites", {"emails": ["x@example.com"]})["invites"]
        file = {"file": ("x.txt", b"text", "text/plain")}
        upload = self._session.post(
            f"{self._stack.chat.url}/api/uploads/direct", files=file, headers=self.credentials["UserToken"]
        ).json()
        return {
            "channel_id": channel,
            "message_id": message,
            "report_id": report["id"],
            "entry_id": listed[0]["id"],
            "poll_id": self._made(f"{room}/polls", POLL)["id"],
            "workspace_id": workspace,
            "invite_id": invites[0]["id"],
            "token": invites[0]["token"],
            "upload_id": upload["id"],
        }

    def _webhook(self) -> dict[str, str]:
        base = self._stack.dispatcher.url
        asked = {"url": f"{self._stack.chat.url}/nowhere", "events": ["*"]}
        webhook = self._made("/api/webhooks", asked, "ApiKey", base)["id"]
        tested = self._made(f"/api/webhooks/{webhook}/test", {}, "ApiKey", base)
        return {"webhook_id": webhook, "delivery_id": tested["deliveryId"]}

    def _made(
        self, path: str, body: Any, by: str = "UserToken", base: str | None = None, *, method: str = "POST"
    ) -> dict[str, Any]:
        url = (base or self._stack.chat.url) + path
        answer = self._session.request(method, url, json=body, headers=self.credentials[by])
        assert answer.ok, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def headers(self, security: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
        """Of those who may call: users first, as whom most can be done; nobody's where anybody may."""
        names = sorted((name for one in security for name in one), reverse=True)
        return [self.credentials[name] for name in names] or [{}]

    def known(self, path: str) -> dict[str, str]:
        """The ids of what exists, for the parameters of a path."""
        return {name: value for name, value in self.ids.items() if f"{{{name}}}" in path}


class Trial:
    """Requests to one operation, and a judgement of the answers."""

    def __init__(self, operation: Any, ground: Ground, base_url: str, session: requests.Session) -> None:
        self._operation, self._base_url, self._session = operation, base_url, session
        self._known = ground.known(operation.path)
        self._headers = ground.headers(operation.definition.raw["security"])
        load_all_checks()
        self._checks: list[Any] = CHECKS.get_by_names(CHECKED)

    def example(self) -> str | None:
        """Make the documented example on what is there: that has to succeed. Returns what is wrong."""
        operation = self._operation
        bodies = operation.definition.raw.get("requestBody", {}).get("content", {})
        if not bodies.keys() <= {"application/json"} or "q" in {one.name for one in operation.query}:
            return None
        more: dict[str, Any] = {}
        if bodies:
            more = {"body": bodies["application/json"]["example"], "media_type": "application/json"}
        parameters = {one.name: "01890a5d-ac96-774b-bcce-b302099a8057" for one in operation.path_parameters}
        case = operation.Case(path_parameters=parameters | self._known, **more)
        try:
            answer = self._send(case, self._headers[0])
        except BaseExceptionGroup as failure:
            return f"the example: {failure}"
        wanted = EXAMPLE_STATUS.get(operation.label)
        right = answer.status_code == wanted if wanted else 200 <= answer.status_code < 300
        return None if right else f"the example is answered {answer.status_code} {answer.text}"

    def made_up(self, number: int) -> str | None:
        """Make requests up, after the document and against it. Returns what is wrong."""

        @settings(
            max_examples=number,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(case=st.one_of(self._cases()), who=st.sampled_from(self._headers))
        def judge(case: schemathesis.Case[Any], who: dict[str, str]) -> None:
            self._send(case, who)

        try:
            judge()
        except BaseExceptionGroup as failure:
            return str(failure)
        return None

    def _cases(self) -> list[Any]:
        operation, known = self._operation, self._known or None
        cases = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=known)]
        if known:
            cases.append(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        if operation.body or operation.query:
            cases.append(
                operation.as_strategy(generation_mode=GenerationMode.NEGATIVE, path_parameters=known)
            )
        return cases

    def _send(self, case: schemathesis.Case[Any], who: dict[str, str]) -> Any:
        answer = case.call(base_url=self._base_url, session=self._session, headers=who)
        case.validate_response(answer, checks=self._checks)
        return answer


# Ten seconds on a machine of its own; the usual limit is for one that is not.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", ["chat", "dispatcher", "metrics"])
def test_no_request_gets_an_answer_that_the_document_does_not_foresee(
    stack: Stack, service: str, pytestconfig: pytest.Config
) -> None:
    base_url = getattr(stack, service).url
    number = MANY if pytestconfig.getoption("--hypothesis-profile") == SEARCH else FEW
    problems = []
    with requests.Session() as session:
        schema = schemathesis.openapi.from_dict(session.get(f"{base_url}/openapi.json").json())
        schema.config.generation.update(with_security_parameters=False)
        untouched, trodden = (Ground(stack, session, with_webhook=service == "dispatcher") for _ in range(2))
        for one in schema.get_all_operations():
            assert isinstance(one, Ok)
            operation = one.ok()
            ground = untouched
            if operation.method.upper() not in READING:
                trodden.renew()
                is_of_app = operation.path.startswith(OF_THE_APP)
                ground = Ground(stack, session, with_webhook=False) if is_of_app else trodden
            trial = Trial(operation, ground, base_url, session)
            found = trial.example(), trial.made_up(number)
            problems += [f"{operation.label}: {problem}" for problem in found if problem]
    assert not problems, "\n\n".join(problems)
