"""SPEC T1: neuron-monitor-prometheus over TLS, with ``--cert-file`` and ``--key-file`` as AWS's script has them."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

PATIENCE = 60
COMMAND = [sys.executable, "-W", "error", "-m", "neuron_adapters.tools.prometheus", "--port", "0"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> tuple[Path, Path]:
    return renew(tmp_path, authority)


def renew(folder: Path, authority: trustme.CA) -> tuple[Path, Path]:
    """Write another certificate into the same two files, as renewing programs do: beside, and renamed."""
    issued = authority.issue_cert("127.0.0.1")
    paths = folder / "cert.pem", folder / "key.pem"
    for path, blob in zip(paths, (issued.cert_chain_pems[0], issued.private_key_pem)):
        blob.write_to_path(str(folder / "new"))
        os.replace(folder / "new", path)
    return paths


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def serial_of(exporter: Any) -> str:
    """The number of the certificate that a new connection is shown."""
    port = urlsplit(exporter.url).port
    plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
    with exporter.context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
        return secure.getpeercert()["serialNumber"]


def options(files: tuple[Path, Path]) -> list[str]:
    return ["--cert-file", str(files[0]), "--key-file", str(files[1])]


def test_https(export: Any, files: tuple[Path, Path], authority: trustme.CA) -> None:
    """Who signed it is checked as everywhere; plain http gets no metrics; who says nothing delays nobody."""
    exporter = export("-m", *options(files))
    exporter.context = trusting(authority)
    assert exporter.url.startswith("https://127.0.0.1:")
    port = urlsplit(exporter.url).port
    with socket.create_connection(("127.0.0.1", port), PATIENCE):
        assert "system_vcpu_count" in exporter.scrape()
    with pytest.raises((http.client.HTTPException, OSError)):
        urllib.request.urlopen(exporter.url.replace("https", "http"), timeout=PATIENCE)
    exporter.context = ssl.create_default_context()
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        exporter.scrape()
    exporter.process.send_signal(signal.SIGINT)
    assert exporter.end() == (0, ""), "none of that is an error of the exporter's"


def test_a_certificate_is_renewed(export: Any, files: tuple[Path, Path], authority: trustme.CA) -> None:
    """Files that changed are used from the next report on; what cannot be used is said once, and is not."""
    exporter = export(*options(files), period="20ms")
    exporter.context = trusting(authority)
    first = serial_of(exporter)
    renew(files[0].parent, authority)
    end = time.monotonic() + PATIENCE
    while (second := serial_of(exporter)) == first:
        assert time.monotonic() < end
        time.sleep(0.02)
    files[0].write_text("no certificate")
    line = exporter.process.stderr.readline()
    assert "cannot be used: " in line
    assert line.endswith("The certificate from before stays in use.\n")
    assert serial_of(exporter) == second
    files[0].unlink()
    assert "No such file" in exporter.process.stderr.readline()
    renew(files[0].parent, authority)
    while serial_of(exporter) in (first, second):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("wrong", ["no certificate", "no key", "another key", "empty", "password"])
def test_wrong_files(
    wrong: str, files: tuple[Path, Path], authority: trustme.CA, tool_environment: Callable[..., dict[str, str]]
) -> None:
    """One line, before anything is served; a key with a password asks nobody for it."""
    certificate, key = files
    if wrong == "no certificate":
        certificate = certificate.with_name("none.pem")
    elif wrong == "no key":
        key = certificate
    elif wrong == "another key":
        authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(str(key))
    elif wrong == "empty":
        certificate.write_text("")
    else:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        secret = serialization.BestAvailableEncryption(b"secret")
        key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    done = subprocess.run(
        [*COMMAND, *options((certificate, key))], env=tool_environment(), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PATIENCE, start_new_session=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"neuron-monitor-prometheus: --cert-file {certificate} and --key-file {key} cannot be used: "
    )
    assert line.endswith(". Accepted: PEM files of a certificate and of its private key, without a password.")
