"""The certificate of an exporter that serves over TLS; it may be renewed while the exporter runs (SPEC T1)."""

from __future__ import annotations

import os
import ssl

from neuron_adapters.tools.shared.text import one_line


class Certificate:
    """A certificate and its private key, in two PEM files."""

    def __init__(self, certificate: str, key: str) -> None:
        """Read both files, so that a wrong one is an error before anything is served. Raises ValueError."""
        self.certificate, self.key = certificate, key
        self._versions = self._look()
        self._server: ssl.SSLSocket | None = None
        self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def watch(self, server: object) -> None:
        """Note the listening socket that was opened with these files: ``renew`` renews it."""
        assert isinstance(server, ssl.SSLSocket)
        # A client that connects and says nothing delays its own thread then, not the one that accepts all clients.
        server.do_handshake_on_connect = False  # type: ignore[attr-defined]  # typeshed lacks it
        self._server = server

    def renew(self) -> str:
        """Use the files as they are now for the connections to come. Returns what is wrong with them, "" if nothing;
        what is wrong is not used."""
        versions = self._look()
        if self._server is None or versions == self._versions:
            return ""
        self._versions = versions
        try:
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # a key that does not fit would spoil the server's
            self._load(self._server.context)
        except ValueError as error:
            return f"{error} The certificate from before stays in use."
        return ""

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            # With a password an encrypted key is an error; without one OpenSSL asks the terminal for it.
            context.load_cert_chain(self.certificate, self.key, password="")
        except OSError as error:
            why = one_line(error.strerror or error).partition(" (_ssl.c")[0]
            raise ValueError(
                f"--cert-file {self.certificate} and --key-file {self.key} cannot be used: {why}. "
                "Accepted: PEM files of a certificate and of its private key, without a password."
            ) from error

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_version_of(path) for path in (self.certificate, self.key)]


def _version_of(path: str) -> tuple[int, int, int] | None:
    """What changes when the file is written or replaced; None where it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
