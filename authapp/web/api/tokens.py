"""One's own API tokens and JWTs."""

from datetime import timedelta

from flask import jsonify
from werkzeug.wrappers import Response

from authapp import clock, issued_tokens, paging
from authapp.models import Token
from authapp.web.api.blueprint import address_of, route
from authapp.web.api.lists import page_of
from authapp.web.api.models.access import Ended, NewToken, PageAsked, TokenBody, TokenFacts, TokenPage, TokenPath
from authapp.web.identity import who
from authapp.web.state import database, effective, visitor

TO_CHANGE = "to change tokens"


@route("get", "/tokens", "user", "tokens", {200: TokenPage}, people=True)
def all_tokens(query: PageAsked) -> Response:
    """List one's own API tokens, and the JWTs that are not over."""
    me = who()
    with database().reading() as db:
        mine = issued_tokens.of_user(
            db, effective().config.session, me.user_id, after=paging.decode(query.cursor), limit=query.limit + 1
        )
    return page_of(mine, query.limit, lambda token: facts(token, me.username))


@route("post", "/tokens", "user", "tokens", {201: NewToken}, people=True, needs_proof=TO_CHANGE, no_api_token=True)
def create_token(body: TokenBody) -> tuple[Response, int, dict[str, str]]:
    """Make an API token; it is answered this once."""
    me = who()
    end = body.expires_at
    if body.expires_in is not None:
        end = clock.now() + timedelta(seconds=body.expires_in)
    issued = issued_tokens.create(
        database(), me.user_id, body.name, visitor("api", me), scope=body.scope, expires_at=end
    )
    made = {**facts(issued.row, me.username), "token": issued.token}
    return jsonify(made), 201, {"Location": address_of(f"/tokens/{issued.row.id}")}


@route("get", "/tokens/<token_id>", "user", "tokens", {200: TokenFacts}, people=True)
def one_token(path: TokenPath) -> Response:
    """Describe one of one's own tokens."""
    me = who()
    with database().reading() as db:
        row, _ = issued_tokens.get(db, path.token_id, visitor("api", me), of=me.user_id)
    return jsonify(facts(row, me.username))


@route(
    "delete", "/tokens/<token_id>", "user", "tokens", {204: None},
    people=True, needs_proof=TO_CHANGE, no_api_token=True,
)  # fmt: skip
def revoke_token(path: TokenPath) -> tuple[str, int]:
    """Revoke one of one's own tokens: the next request with it is refused."""
    me = who()
    issued_tokens.revoke(database(), path.token_id, visitor("api", me), of=me.user_id)
    return "", 204


@route("delete", "/tokens", "user", "tokens", {200: Ended}, people=True, needs_proof=TO_CHANGE, no_api_token=True)
def revoke_all_tokens() -> Response:
    """Revoke all of one's own tokens, except the JWT that asks."""
    me = who()
    ended = issued_tokens.revoke_all(database(), me.user_id, visitor("api", me), keep=me.token_id)
    return jsonify(ended=ended)


def facts(token: Token, username: str) -> dict[str, object]:
    """Return what programs are told of a token."""
    return {**issued_tokens.facts(token, username), "current": token.id == who().token_id}
