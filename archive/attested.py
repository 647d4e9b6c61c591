"""What others than the agent say of a record: the archive's receipt, and a time stamp authority of the receipt."""

from __future__ import annotations

import json
from collections.abc import Callable

from archive import timestamps
from archive.domain.chain import canonical, sha256_hex
from archive.domain.errors import Damaged
from archive.domain.manifest import Manifest
from archive.domain.register import decode_statement
from archive.domain.wall import iso, parse_iso
from archive.signing import Verifier

RECEIPT, SIGNATURE, ARCHIVE_KEY = "receipt.json", "receipt.sig", "archive.pub"
TOKEN, AUTHORITY = "receipt.tsr", "tsa-ca.pem"
STATEMENT, STATEMENT_SIGNATURE = "agent-key.json", "agent-key.sig"

Read = Callable[[str], bytes | None]  # a file by its name; None when it is not there


class NotChecked(Exception):
    """It cannot be looked at here; the message says why. That is no fault of the record, and no proof either."""


def check_receipt(read: Read, manifest: bytes, said: Manifest, archive_key: str = "") -> str:
    """Whether the archive has signed for exactly this manifest; in words what it says.

    `archive_key` is the fingerprint that the court has published: without it the key in the record is believed.

    Raises:
        Damaged: the receipt does not hold, or is another record's.
        NotChecked: there is none, or not the archive's key.
    """
    receipt, signature, pem = (read(name) for name in (RECEIPT, SIGNATURE, ARCHIVE_KEY))
    if receipt is None:
        raise NotChecked("there is no receipt: nothing here says that the archive had it")
    if pem is None:
        raise NotChecked("archive.pub is not here, so that the archive's receipt cannot be looked at")
    key = Verifier.from_pem(pem)
    if archive_key and key.sha256() != archive_key.lower():
        raise Damaged(f"archive.pub is not the key {archive_key}; its fingerprint is {key.sha256()}")
    if signature is None or not key.holds(receipt, signature):
        raise Damaged("receipt.sig is not archive.pub's signature over receipt.json")
    told = json.loads(receipt)
    if canonical(told) != receipt:
        raise Damaged("receipt.json is not canonical JSON")
    facts = {
        "recording": said.recording,
        "courtroom": said.courtroom,
        "manifest_sha256": sha256_hex(manifest),
        "chain_head": said.chain_head,
        "segments": said.segments,
        "bytes": said.bytes,
        "key_sha256": key.sha256(),
    }
    wrong = [name for name, value in facts.items() if told[name] != value]
    if wrong:
        raise Damaged(f"the receipt is for another record: {', '.join(wrong)}")
    return f"the archive had all of it at {told['received']}; its key {key.sha256()}"


def check_stamp(read: Read) -> str:
    """Whether a time stamp authority has signed for the receipt; in words when that was.

    Raises:
        Damaged: the token does not hold, or is over another receipt.
        NotChecked: there is none, or this machine cannot look at one.
    """
    receipt, token, ca_pem = (read(name) for name in (RECEIPT, TOKEN, AUTHORITY))
    if token is None:
        raise NotChecked("there is no time stamp: only the archive says when it had the record")
    if receipt is None or ca_pem is None:
        raise Damaged(f"a time stamp without {RECEIPT if receipt is None else AUTHORITY}")
    if not timestamps.have_library():
        raise NotChecked("this machine has no rfc3161-client; run verify.sh, which needs openssl alone")
    at = timestamps.check_token(token, receipt, ca_pem)
    return f"the receipt was there at {iso(at)}, says an authority of {AUTHORITY} (SHA-256 {sha256_hex(ca_pem)})"


def check_key(read: Read, key: Verifier) -> str:
    """What the archive states of the key that signed the record, and whether that counted when the archive had it.

    Raises:
        Damaged: the statement does not hold, is about another key, or says that this one was void by then.
        NotChecked: the archive states nothing.
    """
    data, signature, pem = (read(name) for name in (STATEMENT, STATEMENT_SIGNATURE, ARCHIVE_KEY))
    if data is None:
        raise NotChecked("nothing here says whose key agent.pub is")
    if pem is None:
        raise NotChecked("archive.pub is not here, so that its statement about agent.pub cannot be looked at")
    archive = Verifier.from_pem(pem)
    if signature is None or not archive.holds(data, signature):
        raise Damaged(f"{STATEMENT_SIGNATURE} is not archive.pub's signature over {STATEMENT}")
    said = decode_statement(data)
    if (said.key_sha256, said.by) != (key.sha256(), archive.sha256()):
        raise Damaged(f"{STATEMENT} is about another key, or another archive's")
    receipt = read(RECEIPT)
    if receipt is None:
        raise Damaged(f"{STATEMENT} without {RECEIPT}: nothing says when the archive had the record")
    received = json.loads(receipt)["received"]
    whose = f"agent.pub is the key of {said.name} in {said.courtroom}"
    if said.void is None:
        return whose
    if not said.good_at(parse_iso(received)):
        raise Damaged(f"{whose}, which counts for nothing from {iso(said.void)} on ({said.reason})")
    return f"{whose}; it was withdrawn ({said.reason}) from {iso(said.void)}, when the archive had this record already"
