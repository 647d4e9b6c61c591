"""A real RTSP server with a user and a password: GStreamer's, run by the system's Python.

    /usr/bin/python3 rtsp_server.py '{"user": …, "password": …, "certificate": PEM or null, "streams": {path: launch}}'

Prints its port and serves until it is killed. A stream begins anew for each who asks.
"""

from __future__ import annotations

import json
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def main() -> None:
    """Serve."""
    told = json.loads(sys.argv[1])
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    server.set_auth(_auth(told))
    for path, launch in told["streams"].items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(launch)
        rights = "user, media.factory.access=(bool)true, media.factory.construct=(bool)true"
        factory.add_role_from_structure(Gst.Structure.from_string(rights)[0])
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def _auth(told: dict) -> GstRtspServer.RTSPAuth:  # type: ignore[type-arg]
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(told["user"], told["password"], token)
    if told["certificate"]:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(told["certificate"]))
    return auth


if __name__ == "__main__":
    main()
