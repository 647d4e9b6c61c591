"""An object of the store as a file that a demuxer reads and seeks in."""

from __future__ import annotations

import io

from archive.storage.port import ObjectStore

_BLOCK = 4 << 20  # bytes fetched at once; media is read from front to back


class StoredFile(io.RawIOBase):
    """Reads an object of `size` bytes in blocks; memory holds one.

    Raises, when read: NotFound, StoreUnavailable, StoreRefused.
    """

    def __init__(self, store: ObjectStore, key: str, size: int) -> None:
        super().__init__()
        self._store, self._key, self._size = store, key, size
        self._at = 0
        self._block, self._block_at = b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; fewer only where a block or the object ends."""
        left = max(0, self._size - self._at)
        wanted = left if size < 0 else min(size, left)
        if not wanted:
            return b""
        if not self._block_at <= self._at < self._block_at + len(self._block):
            self._fetch()
        start = self._at - self._block_at
        data = self._block[start : start + wanted]
        self._at += len(data)
        return data

    def _fetch(self) -> None:
        length = min(_BLOCK, self._size - self._at)
        with self._store.open_range(self._key, self._at, length) as body:
            self._block, self._block_at = body.read(length), self._at
        if len(self._block) < length:
            raise OSError(f"{self._key} is shorter than the catalogue says")
