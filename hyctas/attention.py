"""Self-attention over the positions of a map: the released form and a memory-efficient one.

Both compute ``gate * attend(x) + x`` with a learned scalar gate (initially 0) and no position code.

**released** (parity with the public release): one head, queries and keys of C // 8 channels (at least 1), values
of C channels, no 1/sqrt(d); the N x N attention map is stored. At stride 8 and 1024x2048, N is 32768 and the map
takes 4.3 GB.

**efficient**: the keys and values come from the map average-pooled to at most 128 tokens, so the attention map is
N x 128 a head; heads of 48 channels, as many as fit best; the scale 1/sqrt(48) is applied to the query, where it
folds into the convolution and keeps half precision from overflowing; a projection back to C channels. The head size
divides the full-width channel counts of the space (96, 192, 384 at 12 base channels), and is large enough that at
stride 8 of 1024x2048 a cell needs less than 200 MiB beyond its input: attention maps grow with the heads.

Why this form. Of those timed (see ``benchmarks/attention.py``), three stay in bounds at stride 8: keys and values
pooled hard, a linear (ReLU) kernel, and tiling. Tiling exists in one runtime only and saves memory but no work.
The linear kernel is fastest, but replaces the softmax: it cannot attend sharply, its sums over all
positions overflow half precision, and it is no approximation of the released form. Pooled keys and values keep softmax
attention as it is (at small maps, where pooling is the identity, it *is* the multi-head original), run on every
runtime, and cost O(N). Bounding the tokens rather than fixing the pooling factor keeps that true for each input
size, and lets training crops and full images see about the same number of keys.
"""

from __future__ import annotations

import math
from typing import Final

from hyctas.builder import GraphBuilder
from hyctas.errors import GraphError
from hyctas.graph import Value
from hyctas.layers import add, average_pool, conv

HEAD_SIZE: Final = 48
"""Channels of a head of efficient attention."""
MAX_TOKENS: Final = 128
"""Most keys (and values) of efficient attention."""
RELEASED_REDUCTION: Final = 8
"""Channels over query and key channels in the released form."""


def attend(b: GraphBuilder, x: Value, *, form: str) -> Value:
    """Append self-attention of one of the two forms; the shape stays.

    Raises:
        GraphError: There is no such form.
    """
    if form == "efficient":
        attended = _efficient(b, x)
    elif form == "released":
        attended = _released(b, x)
    else:
        raise GraphError(f"unknown attention form {form!r}; known: efficient, released")
    return add(b, b.append("gate", [attended]), x)


def pooling_factor(height: int, width: int) -> int:
    """Smallest power of two that pools a height x width map to at most :data:`MAX_TOKENS` tokens."""
    factor = 1
    while -(-height // factor) * -(-width // factor) > MAX_TOKENS:
        factor *= 2
    return factor


def head_count(channels: int) -> int:
    """Heads of efficient attention: channels over the head size, rounded half up, at least one."""
    return max(1, (channels + HEAD_SIZE // 2) // HEAD_SIZE)


def _released(b: GraphBuilder, x: Value) -> Value:
    reduced = max(1, x.channels // RELEASED_REDUCTION)
    query = _tokens(b, conv(b, x, reduced, bias=True, name="query"), heads=1)
    key = _tokens(b, conv(b, x, reduced, bias=True, name="key"), heads=1)
    value = _tokens(b, conv(b, x, x.channels, bias=True, name="value"), heads=1)
    return _to_map(b, _weighted_sum(b, query, key, value), x)


def _efficient(b: GraphBuilder, x: Value) -> Value:
    heads = head_count(x.channels)
    inner = heads * HEAD_SIZE
    factor = pooling_factor(*x.shape[2:])
    pooled = x if factor == 1 else average_pool(b, x, factor)
    query = conv(b, x, inner, bias=True, name="query")
    query = b.append("scale", [query], {"factor": 1.0 / math.sqrt(HEAD_SIZE)})
    key = conv(b, pooled, inner, bias=True, name="key")
    value = conv(b, pooled, inner, bias=True, name="value")
    attended = _weighted_sum(b, *(_tokens(b, part, heads=heads) for part in (query, key, value)))
    return conv(b, _to_map(b, attended, x), x.channels, bias=True, name="projection")


def _tokens(b: GraphBuilder, x: Value, *, heads: int) -> Value:
    """Flatten a map to batch, heads, channels of a head, tokens."""
    batch, channels, height, width = x.shape
    return b.append("reshape", [x], {"shape": (batch, heads, channels // heads, height * width)})


def _weighted_sum(b: GraphBuilder, query: Value, key: Value, value: Value) -> Value:
    """``value @ softmax(query^T @ key)^T``: batch, heads, channels of a head, query tokens."""
    scores = b.append("matmul", [query, key], {"transpose_left": 1, "transpose_right": 0})
    weights = b.append("softmax", [scores])
    return b.append("matmul", [value, weights], {"transpose_left": 0, "transpose_right": 1})


def _to_map(b: GraphBuilder, tokens: Value, like: Value) -> Value:
    """Unflatten tokens to a map of the height and width of `like`."""
    batch, heads, channels, _ = tokens.shape
    return b.append("reshape", [tokens], {"shape": (batch, heads * channels, *like.shape[2:])})
