"""``neuron-monitor-prometheus``: serves the reports of ``neuron-monitor`` to Prometheus (SPEC T1).

It reads them from its standard input, as documented, or runs the monitor itself. Without ``--address`` it serves this
machine alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from neuron_adapters.tools.shared.devices import read_environment
from neuron_adapters.tools.shared.terminal import complain, ending, fail, parser_of, stop_on_signals, whole_number

if TYPE_CHECKING:
    from neuron_adapters.tools.monitor._config import MonitorConfig
    from neuron_adapters.tools.prometheus._certificate import Certificate
    from neuron_adapters.tools.prometheus._exposition import Exposition

PROGRAM = "neuron-monitor-prometheus"
EPILOG = """\
exit codes:
  0 it was stopped (Ctrl-C, SIGINT, SIGTERM), or its input has ended,
  1 it cannot serve, cannot monitor, or its input held no report,
  2 the arguments or the configuration file are wrong

examples:
  neuron-monitor | neuron-monitor-prometheus --port 8000
  neuron-monitor-prometheus            runs the monitor itself
  neuron-monitor-prometheus --run-monitor &         the same in the background
  curl http://127.0.0.1:8000/metrics
  neuron-monitor-prometheus --cert-file cert.pem --key-file key.pem --address 0.0.0.0
"""
_LONGEST_LINE = 64 << 20  # bytes


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = parser_of(PROGRAM, "Serve the reports of neuron-monitor as metrics for Prometheus.", EPILOG)
    parser.add_argument(
        "-p",
        "--port",
        type=whole_number("a port", 0, 65535),
        default=8000,
        help="port to serve on; default %(default)s, 0: any",
    )
    parser.add_argument(
        "-a", "--address", default="127.0.0.1",
        help="address to serve on; default %(default)s: this machine alone. 0.0.0.0, which is what AWS's serves on: "
        "every address of this machine",
    )  # fmt: skip
    parser.add_argument("--cert-file", metavar="FILE", help="serve https, with the certificate in this PEM file")
    parser.add_argument("--key-file", metavar="FILE", help="the private key of --cert-file, a PEM file")
    parser.add_argument(
        "-m", "--run-monitor", action="store_true",
        help="run the monitor instead of reading its output; the default where the input is a terminal",
    )  # fmt: skip
    parser.add_argument("-c", "--config-file", metavar="FILE", help="run the monitor, with this configuration file")
    parser.add_argument("--enable-k8s-info", action="store_true", help=argparse.SUPPRESS)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    stop_on_signals()
    parser = make_parser()
    return ending(PROGRAM, lambda: _run(parser, parser.parse_args(arguments)), interrupted=0)


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if options.enable_k8s_info:
        parser.error("--enable-k8s-info: Kubernetes has no device plug-in for emulated NeuronCores")
    if (options.cert_file is None) != (options.key_file is None):
        present, missing = ("cert", "key") if options.key_file is None else ("key", "cert")
        parser.error(f"--{present}-file needs --{missing}-file: https takes a certificate and its private key")
    from neuron_adapters.tools.monitor._config import MonitorConfig
    from neuron_adapters.tools.prometheus._certificate import Certificate
    from neuron_adapters.tools.prometheus._exposition import Exposition

    own = options.run_monitor or options.config_file is not None or sys.stdin is None or sys.stdin.isatty()
    try:
        config = MonitorConfig.of(options.config_file)
        certificate = None if options.cert_file is None else Certificate(options.cert_file, options.key_file)
    except ValueError as error:  # NeuronConfigError is one
        return fail(PROGRAM, error, code=2)
    exposition = Exposition(_say)
    empty = True
    with contextlib.ExitStack() as stack:
        reports = _own_reports(config, stack) if own else _reports(sys.stdin.buffer)
        if own:  # whoever can connect finds metrics
            exposition.update(next(reports))
            empty = False
        problem = _serve(options, exposition, certificate, stack)
        if problem:
            return fail(PROGRAM, problem)
        for report in reports:
            exposition.update(report)
            empty = False
            unusable = certificate.renew() if certificate else ""
            if unusable:
                _say(unusable)
    if empty:
        return fail(PROGRAM, f"standard input held no report. Try neuron-monitor | {PROGRAM}, or --run-monitor.")
    return 0


def _serve(
    options: argparse.Namespace, exposition: Exposition, certificate: Certificate | None, stack: contextlib.ExitStack
) -> str:
    """Serve ``exposition`` until ``stack`` is closed. Returns why that is not possible, "" where it is."""
    import prometheus_client

    prometheus_client.REGISTRY.register(exposition)
    try:
        server, thread = prometheus_client.start_http_server(
            options.port, options.address,
            certfile=certificate.certificate if certificate else None, keyfile=certificate.key if certificate else None,
        )  # fmt: skip
    except (OSError, UnicodeError) as error:  # UnicodeError: no machine can have that name
        why = getattr(error, "strerror", None) or error
        return f"cannot serve on {options.address}:{options.port}: {why}. Choose another --port or --address."
    tell = server.handle_error

    def handle_error(request: object, client: object) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that left, or that spoke no TLS, is no error of ours
            tell(request, client)  # type: ignore[arg-type]

    server.handle_error = handle_error  # type: ignore[method-assign,assignment]
    for step in (thread.join, server.server_close, server.shutdown):  # the last one comes first
        stack.callback(step)
    if certificate:
        certificate.watch(server.socket)
    host = f"[{options.address}]" if ":" in options.address else options.address
    _say(f"serving http{'s' if certificate else ''}://{host}:{server.server_port}/metrics")
    return ""


def _own_reports(config: MonitorConfig, stack: contextlib.ExitStack) -> Iterator[object]:
    """The reports of a monitor of this process's own, which ends with ``stack``."""
    from neuron_adapters.tools.monitor._reports import Monitor

    return stack.enter_context(contextlib.closing(Monitor(config, read_environment()))).reports()


def _reports(file: BinaryIO) -> Iterator[object]:
    """Yield the reports in ``file``; say which lines are not reports, and skip them."""
    while line := file.readline(_LONGEST_LINE):
        if not line.strip():
            continue
        try:
            report = json.loads(line)
        except (ValueError, RecursionError) as error:
            _say(f"a line of the input is not JSON: {error}")
            continue
        if isinstance(report, dict):
            yield report
        else:
            _say("a line of the input is not a report: it is not a JSON object")


def _say(text: str) -> None:
    complain(PROGRAM, text)
