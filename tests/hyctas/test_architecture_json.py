"""Reading and writing architectures: round trips, agreement of both readers, and errors for everything else."""

import copy
import json
import math

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import (
    decode_architecture,
    decode_defaults,
    decode_each,
    from_wire,
    read_architecture,
    to_json,
)
from hyctas.cardinality import branches_at, cardinality
from hyctas.errors import InvalidArchitecture
from hyctas.release_format import to_release
from hyctas.space import HYCTAS
from hyctas.wire import WireArchitecture

EXAMPLE = {
    "version": 1,
    "space": "hyctas",
    "input": {"batch": 1, "height": 1024, "width": 2048},
    "base_channels": 12,
    "stem_width": 12,
    "head_width": 12,
    "head": "s4",
    "attention": "efficient",
    "classes": 19,
    "output": "logits",
    "branches": [
        {"cells": [{"op": "conv", "width": 6, "down": False}, {"op": "sa", "down": False}]},
        {"cells": [{"op": "skip", "width": 6, "down": True}, {"op": "conv_2x", "down": False}]},
    ],
}
RELEASE = {
    "ops": [[1, 4], [0, 3]],
    "paths": [[0, 0], [0, 1]],
    "downs": [[0, 0], [1, 0]],
    "widths": [[0.5], [1]],
    "lasts": [0, 1],
}

architectures = st.builds(
    lambda number, settings: settings.architecture(branches_at(HYCTAS, number)),
    st.integers(0, cardinality(HYCTAS) - 1),
    st.builds(
        ArchitectureDefaults,
        batch=st.integers(1, 1024),
        height=st.integers(1, 512).map(lambda blocks: 32 * blocks),
        base_channels=st.integers(1, 256),
        stem_width=st.sampled_from((4, 6, 8, 10, 12)),
        head=st.sampled_from(("light", "s4")),
        attention=st.sampled_from(("efficient", "released")),
        classes=st.integers(1, 4096),
        output=st.sampled_from(("logits", "upsampled", "argmax")),
    ),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 13),
    st.floats(),
    st.text(),
    st.sampled_from(["conv", "sa", "s4", 12, 0.5, 1.0, -0.0, 10**400, 1e308, "\ud800"]),
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=8
)


def places(value, path=()):
    """Every path into a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@st.composite
def damaged(draw):
    """A valid document with one value replaced, removed or added."""
    document = copy.deepcopy(draw(st.sampled_from((EXAMPLE, RELEASE))))
    *parents, last = draw(st.sampled_from([path for path in places(document) if path]))
    holder = document
    for key in parents:
        holder = holder[key]
    match draw(st.sampled_from(("replace", "remove", "add"))):
        case "replace":
            holder[last] = draw(json_values)
        case "remove":
            del holder[last]
        case "add" if isinstance(holder, dict):
            holder[draw(st.text())] = draw(json_values)
        case _:
            holder.insert(last, draw(json_values))
    return document


def outcome(read, *arguments):
    """What a reader returns, or the path and the allowed values of its error."""
    try:
        return read(*arguments)
    except InvalidArchitecture as error:
        assert error.path.startswith("$")
        json.dumps([error.path, error.value, str(error)], allow_nan=False).encode()
        str(error).encode()
        return error.path, error.allowed


@given(architectures)
def test_version_1_round_trips(architecture):
    text = json.dumps(to_json(architecture))
    for data in (text, text.encode(), to_json(architecture)):
        again = decode_architecture(data)
        assert again == architecture
        assert again.key == architecture.key
    assert to_json(decode_architecture(text)) == to_json(architecture)


@given(architectures)
def test_wire_form_agrees_with_the_text(architecture):
    wire = msgspec.convert(to_json(architecture), WireArchitecture)
    assert from_wire(wire) == architecture


def test_example_is_read_as_written():
    architecture = decode_architecture(json.dumps(EXAMPLE))
    assert to_json(architecture) == EXAMPLE
    assert [path.last_scale for path in architecture.branches] == [0, 1]


def test_null_width_of_the_last_cell_means_none():
    document = copy.deepcopy(EXAMPLE)
    document["branches"][0]["cells"][1]["width"] = None
    assert to_json(decode_architecture(document)) == EXAMPLE


@given(json_values)
def test_any_json_is_an_architecture_or_an_error(value):
    for data in (json.dumps(value), json.dumps(value).encode()):
        assert isinstance(outcome(decode_architecture, data), tuple)
    assert isinstance(outcome(read_architecture, value), tuple)


@given(st.binary())
@example(b"\xff\xfe")
@example(b"NaN")
@example(b"")
def test_any_bytes_are_an_architecture_or_an_error(data):
    assert isinstance(outcome(decode_architecture, data), tuple)


@given(damaged())
def test_both_readers_agree_on_damaged_documents(document):
    try:
        text = json.dumps(document)
    except ValueError:  # integers of more digits than Python writes
        return
    fast, careful = outcome(decode_architecture, text), outcome(read_architecture, document)
    assert fast == careful
    assert isinstance(fast, Architecture | tuple)


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("version",), 2, "$.version"),
        (("space",), "darts", "$.space"),
        (("input", "height"), 1000, "$.input.height"),
        (("input", "batch"), True, "$.input.batch"),
        (("input",), [1, 2, 3], "$.input"),
        (("base_channels",), math.nan, "$.base_channels"),
        (("base_channels",), 12.0, "$.base_channels"),
        pytest.param(("base_channels",), 10**400, "$.base_channels", id="huge"),
        (("classes",), "19", "$.classes"),
        (("head",), None, "$.head"),
        (("branches",), [], "$.branches"),
        (("branches",), {"0": 1}, "$.branches"),
        (("branches", 0, "cells"), [], "$.branches[0].cells"),
        (("branches", 0, "cells", 0, "op"), "pool", "$.branches[0].cells[0].op"),
        (("branches", 0, "cells", 0, "width"), 5, "$.branches[0].cells[0].width"),
        (("branches", 0, "cells", 0, "width"), None, "$.branches[0].cells[0].width"),
        (("branches", 0, "cells", 1, "width"), 12, "$.branches[0].cells[1].width"),
        (("branches", 0, "cells", 1, "down"), True, "$.branches[0].cells[1].down"),
        (("branches", 0, "cells", 0, "down"), 1, "$.branches[0].cells[0].down"),
        (("branches", 0, "cells", 0, "kernel"), 3, "$.branches[0].cells[0].kernel"),
        (("branches", 0, "cells", 0, "a b"), 3, '$.branches[0].cells[0]["a b"]'),
        (("branches", 1, "cells", 0, "down"), False, "$.branches[1].cells"),
    ],
)
def test_error_names_the_place_and_the_value(path, value, where):
    document = copy.deepcopy(EXAMPLE)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    for data in (document, json.dumps(document)):
        with pytest.raises(InvalidArchitecture) as caught:
            decode_architecture(data)
        assert caught.value.path == where
        assert caught.value.allowed


@pytest.mark.parametrize("name", list(EXAMPLE))
def test_missing_field_is_named(name):
    document = {key: value for key, value in EXAMPLE.items() if key != name}
    with pytest.raises(InvalidArchitecture) as caught:
        decode_architecture(json.dumps(document))
    assert caught.value.path == f"$.{name}"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        '{"a":' * 1_000_000,
        '{"ops":' + "[" * 100_000 + "]" * 100_000 + "}",
        "1" * 100_000,
        "1e400",
        "-Infinity",
        '{"version": 1',
        "null",
        '"conv"',
        "\x00",
        "\ud800",
    ],
    ids=[
        "arrays",
        "objects",
        "nested-ops",
        "digits",
        "exponent",
        "infinity",
        "cut",
        "null",
        "string",
        "nul",
        "surrogate",
    ],
)
def test_hostile_text_gets_one_short_error(text):
    with pytest.raises(InvalidArchitecture) as caught:
        decode_architecture(text)
    assert len(str(caught.value)) < 400


def test_last_of_duplicate_keys_counts():
    text = json.dumps(EXAMPLE).replace('"classes": 19', '"classes": 7, "classes": 19')
    assert to_json(decode_architecture(text)) == EXAMPLE


def test_each_item_of_an_array_stands_for_itself():
    bad = copy.deepcopy(EXAMPLE)
    bad["branches"][0]["cells"][0]["op"] = "pool"
    text = json.dumps([EXAMPLE, bad, RELEASE, 3])
    first, second, third, fourth = decode_each(msgspec.json.decode(text, type=list[msgspec.Raw]), at="$.architectures")
    assert to_json(first) == EXAMPLE
    assert second.path == "$.architectures[1].branches[0].cells[0].op"
    assert to_release(third) == RELEASE
    assert fourth.path == "$.architectures[3]"


def test_wire_form_that_breaks_a_rule_is_explained():
    wire = msgspec.convert({**EXAMPLE, "classes": 0}, WireArchitecture)
    with pytest.raises(InvalidArchitecture) as caught:
        from_wire(wire, at="$.architectures[4]")
    assert caught.value.path == "$.architectures[4].classes"


def test_defaults_fill_what_a_release_file_does_not_carry():
    defaults = decode_defaults({"height": 192, "width": 384, "head": "light", "base_channels": 16})
    assert defaults == ArchitectureDefaults(height=192, width=384, head="light", base_channels=16)
    assert decode_architecture(RELEASE, defaults).settings == defaults
    assert decode_architecture(EXAMPLE, defaults).settings == ArchitectureDefaults()


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"height": 100}, "$.defaults.height"),
        ({"head": 4}, "$.defaults.head"),
        ({"classes": 1.5}, "$.defaults.classes"),
        ({"ops": []}, "$.defaults.ops"),
        ([], "$.defaults"),
    ],
)
def test_wrong_defaults_are_explained(value, where):
    with pytest.raises(InvalidArchitecture) as caught:
        decode_defaults(value)
    assert caught.value.path == where
