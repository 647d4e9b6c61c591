"""Taking in what agents send: idempotent, order-free, each call one transaction of the caller.

with sessions.begin() as session:
    accept_lines(session, agent, recording, lines, signatures, objects)
"""

from archive.ingest.intake import Accepted, accept_lines, accept_manifest, register_recording

__all__ = ["Accepted", "accept_lines", "accept_manifest", "register_recording"]
