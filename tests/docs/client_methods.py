"""Writes docs/client-methods.md from the client itself: ``python -m tests.docs.client_methods``."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator

from tests.docs.pages import DOCS
from tests.support.client_calls import Method, Resource, resources

PAGE = DOCS / "client-methods.md"
WIDTH = 92

_HEAD = """\
# Every method of the Python client

By resource, with its HTTP route and its types. [The Python client](client.md) says what holds for
all: pages, errors, retries. `AsyncFareboxClient` has the same methods; those that
don't return a `Pager` are awaited, or iterated over with `async for`. Types without a module are
Python's or `backend_client`'s own; `accounts.ApiKey` is that of `backend_client.types.accounts`.

This page is written from the code by `python -m tests.docs.client_methods`, and the tests compare
the two.
"""


def methods_page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(part for resource in resources() for part in _section(resource))])


def _section(resource: Resource) -> Iterator[str]:
    yield f"## {resource.name}\n\n{_text(inspect.getdoc(resource.instance))}\n"
    for method in resource.methods:
        routes = " or ".join(f"`{verb} {path}`" for verb, path in method.routes)
        yield f"### {method.name}\n\n```python\n{_signature(method)}\n```\n"
        yield f"{routes}\n\n{_text(inspect.getdoc(method.bound))}\n"


def _signature(method: Method) -> str:
    """How the method is called, on as many lines as it takes."""
    signature = inspect.signature(method.bound)
    parts = list(_parameters(method))
    answer = _with_modules(signature.return_annotation, method.bound)
    line = f"{method.name}({', '.join(parts)}) -> {answer}"
    if len(line) <= WIDTH:
        return line
    lines = "".join(f"    {part},\n" for part in parts)
    return f"{method.name}(\n{lines}) -> {answer}"


def _parameters(method: Method) -> Iterator[str]:
    hints = typing.get_type_hints(method.bound)
    starred = False
    for name, parameter in method.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            yield from _members(name, hints[name])
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        yield f"{name}: {_with_modules(parameter.annotation, method.bound)}{default}"


def _members(name: str, hint: object) -> Iterator[str]:
    """What a typed dictionary names, each as an argument that may be left out."""
    kinds = typing.get_args(hint)
    if not kinds:
        yield f"**{name}: object"
    for kind in kinds:
        for member, annotation in kind.__annotations__.items():
            yield f"{member}: {_with_modules(annotation.__forward_arg__, kind)} = ..."


def _with_modules(annotation: str, where: object) -> str:
    """An annotation as it is written there, in which each wire type has its module before it."""
    module = inspect.getmodule(where)

    def named(match: re.Match[str]) -> str:
        home = getattr(getattr(module, match[0], None), "__module__", "")
        _, types, name = home.partition("backend_client.types.")
        return f"{name}.{match[0]}" if types else match[0]

    return re.sub(r"\b[A-Z]\w+", named, annotation)


def _text(text: str | None) -> str:
    """A docstring as a paragraph or more of Markdown."""
    return re.sub(r"``(.+?)``", r"`\1`", inspect.cleandoc(text or ""))


if __name__ == "__main__":
    PAGE.write_text(methods_page())
