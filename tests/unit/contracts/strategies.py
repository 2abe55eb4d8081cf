"""Hypothesis strategies for every wire model and event, made from the models' own fields."""

import types
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from chatsdk_contracts.catalogue import EVENTS
from chatsdk_contracts.envelope import Event
from chatsdk_contracts.ids import new_id
from chatsdk_contracts.polls import PollVote

_INTEGERS = st.integers(min_value=0, max_value=2**53)
_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone beside
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | _INTEGERS
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: _INTEGERS,
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    AwareDatetime: _TIMES,
    Any: _JSON,
    type(None): st.none(),
}


def events() -> st.SearchStrategy[Event]:
    """Any event of any type."""
    return st.sampled_from(sorted(EVENTS)).flatmap(lambda name: events_of(EVENTS[name]))


@cache
def events_of(event_cls: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of one class."""
    data_cls = event_cls.model_fields["data"].annotation
    assert isinstance(data_cls, type)
    assert issubclass(data_cls, BaseModel)
    return st.fixed_dictionaries(
        {
            "id": st.builds(new_id, st.integers(min_value=0, max_value=2**48 - 1)),
            "subject": st.builds(lambda rest: f"{event_cls.aggregate}/{rest}", st.from_regex(r"\A.{1,20}\Z")),
            "time": _TIMES,
            "appid": st.text(min_size=1, max_size=20),
            "channelid": st.none() | st.text(max_size=20),
            "actorid": st.none() | st.text(max_size=20),
            "sequence": st.none() | _INTEGERS.map(str),
            "epoch": _INTEGERS,
            "traceparent": st.none() | st.text(max_size=60),
            "data": models(data_cls),
        }
    ).map(lambda fields: event_cls.model_validate(_without_secret_actor(fields)))


@cache
def models(model: type[BaseModel]) -> st.SearchStrategy[BaseModel]:
    """Any value of a wire model."""
    fields = {name: _values(field.annotation) for name, field in model.model_fields.items()}
    if model is PollVote:
        votes = st.fixed_dictionaries(fields)
        return votes.map(
            lambda vote: PollVote(**(vote | ({"user_id": None} if vote["is_anonymous"] else {})))
        )
    return st.fixed_dictionaries(fields).map(lambda values: model(**values))


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    if isinstance(annotation, NewType):
        return _values(annotation.__supertype__)
    if annotation in _LEAVES:
        return _LEAVES[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _values(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in {Union, types.UnionType}:
        return st.one_of(*(_values(argument) for argument in arguments))
    if origin is list:
        return st.lists(_values(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=3)
    assert isinstance(annotation, type)
    assert issubclass(annotation, BaseModel), annotation
    return models(annotation)


def _without_secret_actor(fields: dict[str, Any]) -> dict[str, Any]:
    anonymous = isinstance(fields["data"], PollVote) and fields["data"].is_anonymous
    return fields | {"actorid": None} if anonymous else fields
