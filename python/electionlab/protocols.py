"""The protocols of the engine as Python classes, made from the catalogue.

A protocol that is added to the engine appears here by itself, with its options as keyword
arguments, its defaults and its documentation.
"""

from __future__ import annotations

import inspect
import textwrap
import warnings
from typing import Any, ClassVar

from electionlab import _core
from electionlab._quorums import Quorum
from electionlab._values import whole_number
from electionlab.settings import Resource, plain


class Protocol:
    """A protocol of the engine with its options, checked.

    Warns (``UserWarning``) when heartbeats are not more frequent than a leader's silence may last.

    Attributes:
        name: Name in the catalogue: ``"raft"``.
        nodes: How many members.
        options: Every option by name, defaults filled in.
        about: What the catalogue says: name, title, source, assumptions, cost and weaknesses in
            words; epochs (whether they rise and name at most one leader each), majority (whether
            it elects only with more than half of all members), fails_over (whether a crashed
            leader is replaced), max_nodes; messages, commands, timers, peer_timers, disk and memory
            (fields of a node's state), options, promises, properties.
    """

    name: str = ""
    about: ClassVar[dict[str, Any]] = {}

    def __init__(self, nodes: int, **options: Any) -> None:
        self.nodes = whole_number("nodes", nodes, 1, self.about.get("max_nodes"))
        given = {k: _given(v) for k, v in options.items()}
        self.options: dict[str, Any] = _core.check_options(self.name, self.nodes, given)
        for warning in _core.option_warnings(self.name, self.nodes, self.options):
            warnings.warn(warning, stacklevel=3)

    def __repr__(self) -> str:
        defaults = {o["name"]: o["default"] for o in self.about["options"]}
        given = "".join(
            f", {name}={_shown(value)}"
            for name, value in self.options.items()
            if value != defaults[name]
        )
        return f"{type(self).__name__}(nodes={self.nodes}{given})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Protocol):
            return NotImplemented
        return (self.name, self.nodes, self.options) == (other.name, other.nodes, other.options)

    __hash__ = None  # type: ignore[assignment]

    def at_work(self, resource: Resource) -> Protocol:
        """The same protocol with a resource that its leaders work on.

        Raises:
            ValueError: Leaders of this protocol cannot be put to work.
        """
        if not isinstance(resource, Resource):
            raise ValueError(f"resource={resource!r}: must be an electionlab.Resource")
        cls = AT_WORK.get(self.name)
        if cls is None:
            raise ValueError(
                f"protocol={self!r}: with a resource, must be one of {', '.join(AT_WORK)}"
            )
        return cls(self.nodes, **self.options, **plain(resource))


def _given(option: Any) -> Any:
    """An option as the engine reads it."""
    if isinstance(option, (set, frozenset)):
        return sorted(option, key=repr)
    return option.spec if isinstance(option, Quorum) else option


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(_shown(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, dict):
        return "(" + ", ".join(_shown(v) for v in value.values()) + ")"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return repr(value)


_PYTHON_TYPES = {
    "range_ms": "float | tuple[float, float]",
    "ms": "float",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "choice": "str",
    "list": "Sequence[Any]",
    "mutations": "Collection[str]",
    "quorum": "str | Mapping[str, Any] | Quorum",
}


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _class_doc(about: dict[str, Any]) -> str:
    lines = [
        f"{about['title']}.",
        "",
        f"Needs: {about['assumptions']}.",
        f"Cost: {about['cost']}.",
        f"Weak where: {about['weaknesses']}.",
        "",
        "Args:",
        f"    nodes: How many members, 1 to {about['max_nodes']}.",
    ]
    for option in about["options"]:
        doc = option["doc"]
        if option["choices"]:
            some = "Of" if option["type"] == "mutations" else "One of"
            doc += f" {some} " + ", ".join(repr(c) for c in option["choices"]) + "."
        lines.append(f"    {option['name']}: {doc} Default {_shown(option['default'])}.")
    lines += [
        "",
        "Raises:",
        "    ValueError: An option is unknown or out of range; the message names it.",
        "",
        f"Source: {about['source']}.",
    ]
    return "\n".join(lines)


def _make_class(about: dict[str, Any]) -> type[Protocol]:
    parameters = [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        inspect.Parameter("nodes", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="int"),
    ]
    for option in about["options"]:
        default = option["default"]
        parameters.append(
            inspect.Parameter(
                option["name"],
                inspect.Parameter.KEYWORD_ONLY,
                default=tuple(default) if isinstance(default, list) else default,
                annotation=_PYTHON_TYPES[option["type"]],
            )
        )
    signature = inspect.Signature(parameters)

    def __init__(self: Protocol, nodes: int, **options: Any) -> None:
        Protocol.__init__(self, nodes, **options)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    return type(
        _class_name(about["name"]),
        (Protocol,),
        {
            "__init__": __init__,
            "__doc__": _class_doc(about),
            "__module__": __name__,
            "name": about["name"],
            "about": about,
        },
    )


#: Every protocol class by its name in the catalogue.
PROTOCOLS: dict[str, type[Protocol]] = {
    about["name"]: _make_class(about) for about in _core.catalog()
}
globals().update({cls.__name__: cls for cls in PROTOCOLS.values()})

#: The same with a resource that leaders work on, by their protocol's name; `Protocol.at_work`
#: makes them, and they are called NAME_at_work in traces.
AT_WORK: dict[str, type[Protocol]] = {
    about["name"].removesuffix("_at_work"): _make_class(about) for about in _core.catalog_at_work()
}

__all__ = [
    "AT_WORK",
    "PROTOCOLS",
    "Protocol",
    "make_protocol",
    *sorted(cls.__name__ for cls in PROTOCOLS.values()),
]


def make_protocol(name: str, nodes: int, options: dict[str, Any] | None = None) -> Protocol:
    """A protocol by its name in the catalogue.

    Raises:
        ValueError: There is no such protocol, or an option is bad.
    """
    text = name if isinstance(name, str) else ""
    cls = PROTOCOLS.get(text) or AT_WORK.get(text.removesuffix("_at_work"))
    if cls is None or cls.name != text:
        raise ValueError(f"protocol={name!r}: must be one of {', '.join(PROTOCOLS)}")
    if not isinstance(options, (dict, type(None))):
        raise ValueError(f"options={options!r}: must be a dictionary")
    return cls(nodes, **(options or {}))


def stub_text() -> str:
    """The text of ``protocols.pyi``: what type checkers and editors read."""
    lines = [
        "# Generated by dev/stubs.py from the engine's catalogue.",
        "from collections.abc import Collection, Mapping, Sequence",
        "from typing import Any, ClassVar",
        "",
        "from electionlab.settings import Resource",
        "from electionlab._quorums import Quorum",
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in __all__),
        "]",
        "",
        "AT_WORK: dict[str, type[Protocol]]",
        "PROTOCOLS: dict[str, type[Protocol]]",
        "",
        "class Protocol:",
        '    """A protocol of the engine with its options, checked."""',
        "",
        "    name: ClassVar[str]",
        "    about: ClassVar[dict[str, Any]]",
        "    nodes: int",
        "    options: dict[str, Any]",
        "    def __init__(self, nodes: int, **options: Any) -> None: ...",
        "    def __eq__(self, other: object) -> bool: ...",
        "    __hash__: ClassVar[None]  # type: ignore[assignment]",
        "    def at_work(self, resource: Resource) -> Protocol: ...",
        "",
        "def make_protocol(",
        "    name: str, nodes: int, options: dict[str, Any] | None = None",
        ") -> Protocol: ...",
        "def stub_text() -> str: ...",
    ]
    for cls in PROTOCOLS.values():
        doc = textwrap.indent(
            f'"""{_class_doc(cls.about)}\n"""', "    ", lambda line: bool(line.strip())
        )
        lines += ["", f"class {cls.__name__}(Protocol):", doc, ""]
        lines += ["    def __init__(", "        self,", "        nodes: int,", "        *,"]
        for option in cls.about["options"]:
            default = option["default"]
            shown = repr(tuple(default) if isinstance(default, list) else default)
            lines.append(f"        {option['name']}: {_PYTHON_TYPES[option['type']]} = {shown},")
        lines += ["    ) -> None: ..."]
    return "\n".join(lines) + "\n"
