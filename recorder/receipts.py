"""The archive's receipts, checked without asking anybody: only what is receipted may ever be deleted here.

`archive.pub` beside the agent's key is the archive's public key, pinned at enrolment. Without one the first
key seen is pinned, and that is reported (UPL-006): an administrator compares the fingerprint.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from pathlib import Path

from archive.domain.chain import sha256_hex
from archive.domain.errors import Damaged
from archive.domain.manifest import decode_manifest
from archive.domain.wall import parse_iso
from archive.signing import Verifier
from config.log import report
from recorder.centre import Receipt
from recorder.durable import write_whole
from recorder.folder import Folder

log = logging.getLogger(__name__)

RECEIPT, SIGNATURE = "receipt.json", "receipt.sig"


class Receipts:
    """The receipts in the recordings' folders, against the pinned key in `key_file`."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def take(self, folder: Folder, told: Receipt) -> None:
        """Keep the archive's answer beside the recording.

        Raises:
            Damaged: it does not fit: another key, another recording, another manifest. Nothing is kept.
            OSError: it cannot be written.
        """
        if not self._key_file.exists():
            self._pin(told.archive_key_pem)
        self._check(folder, told.receipt, told.signature)
        write_whole(folder.path / SIGNATURE, told.signature)
        write_whole(folder.path / RECEIPT, told.receipt)

    def received(self, folder: Folder) -> datetime | None:
        """When the archive had it all, by the receipt that is kept here; None without one that fits."""
        try:
            receipt, signature = (folder.path / RECEIPT).read_bytes(), (folder.path / SIGNATURE).read_bytes()
            return parse_iso(self._check(folder, receipt, signature))
        except (OSError, Damaged):
            return None

    def _check(self, folder: Folder, receipt: bytes, signature: bytes) -> str:
        key = Verifier.from_pem(self._key_file.read_bytes())
        if not key.holds(receipt, signature):
            raise Damaged("the receipt is not signed by the archive's key that is pinned here")
        manifest = folder.manifest.read_bytes()
        own = decode_manifest(manifest)
        try:
            said = json.loads(receipt)
            facts = (said["recording"], said["manifest_sha256"], said["chain_head"], said["segments"], said["bytes"])
            received = str(said["received"])
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"the receipt cannot be read: {error!r:.100}") from error
        if facts != (folder.recording, sha256_hex(manifest), own.chain_head, own.segments, own.bytes):
            raise Damaged("the receipt is for another recording or another manifest than the one here")
        return received

    def _pin(self, pem: bytes) -> None:
        fingerprint = Verifier.from_pem(pem).sha256()
        write_whole(self._key_file, pem)
        report(log, "UPL-006", key_sha256=fingerprint)
