"""Merkle trees against the RFC's own definition, and proofs that prove one place and nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain.merkle import inclusion_path, is_included, leaf_hash, root

LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def defined(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962, 2.1 writes it down: split at the largest power of two below n."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + defined(leaves[:k]) + defined(leaves[k:])).digest()


def defined_path(leaves: list[bytes], index: int) -> list[bytes]:
    """PATH(m, D[n]) as 2.1.1 writes it down."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if index < k:
        return [*defined_path(leaves[:k], index), defined(leaves[k:])]
    return [*defined_path(leaves[k:], index - k), defined(leaves[:k])]


@given(LEAVES)
def test_the_root_is_the_rfcs(leaves: list[bytes]) -> None:
    assert root(leaves) == defined(leaves)
    assert root([]) == defined([])


@given(LEAVES, st.data())
def test_each_leaf_is_proved_by_the_rfcs_path(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = inclusion_path(leaves, index)
    assert path == defined_path(leaves, index)
    assert is_included(leaves[index], index, len(leaves), path, root(leaves))


@given(LEAVES, st.data())
def test_nothing_else_is_proved(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, top, size = inclusion_path(leaves, index), root(leaves), len(leaves)
    assert not is_included(leaves[index] + b"!", index, size, path, top)
    assert not is_included(leaves[index], size, size, path, top)
    assert not is_included(leaves[index], -1, size, path, top)
    assert not is_included(leaves[index], index, size, [*path, bytes(32)], top)
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        spoilt = [*path[:at], bytes(b ^ 1 for b in path[at]), *path[at + 1 :]]
        assert not is_included(leaves[index], index, size, spoilt, top)
        assert not is_included(leaves[index], index, size, path[:-1], top)
        other = data.draw(st.integers(0, size - 1).filter(lambda n: leaves[n] != leaves[index]) | st.none())
        if other is not None:
            assert not is_included(leaves[index], other, size, inclusion_path(leaves, other), top)


@given(LEAVES, st.data())
def test_other_leaves_have_another_root(leaves: list[bytes], data: st.DataObject) -> None:
    """The last one doubled too (trees that pair it with itself give that the same root), and a node sold as a leaf."""
    at = data.draw(st.integers(0, len(leaves) - 1))
    changed = [
        [*leaves, leaves[-1]],
        leaves[:at] + leaves[at + 1 :],
        [*leaves[:at], b"!" + leaves[at], *leaves[at + 1 :]],
    ]
    changed += [other for other in [leaves[::-1]] if other != leaves]
    if len(leaves) > 1:
        changed.append([leaf_hash(leaves[0]) + leaf_hash(leaves[1]), *leaves[2:]])
    assert root(leaves) not in [root(other) for other in changed]


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40, unique=True), st.data())
def test_no_altered_path_proves(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, size = inclusion_path(leaves, index), len(leaves)
    changes = [path[::-1], path[1:], path + path[-1:], [*path[:-1], bytes(32)], [bytes(32), *path]]
    for other in (other for other in changes if other != path):
        assert not is_included(leaves[index], index, size, other, root(leaves))
    for wrong in {index ^ 1, index + 1, size - 1, 0} - {index}:
        assert not is_included(leaves[index], wrong, size, path, root(leaves))


def test_no_path_without_a_leaf() -> None:
    with pytest.raises(IndexError, match="no leaf 1 of 1"):
        inclusion_path([b"x"], 1)
    with pytest.raises(IndexError):
        inclusion_path([], 0)
