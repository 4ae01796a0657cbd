"""Starting a server, waiting until it answers, and ending it."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from . import nginx

_PATIENCE = 15.0


class Certificate:
    """Files of a certificate for loopback, and of the authority that vouches for it."""

    def __init__(self, folder):
        self.chain, self.key, self.authority = (folder / name for name in ("chain.pem", "key.pem", "authority.pem"))


def certificate(folder):
    """Make a certificate with trustme or openssl; None if neither is installed."""
    made = Certificate(folder)
    try:
        import trustme  # noqa: PLC0415  # it may be missing
    except ImportError:
        return made if _by_openssl(made) else None
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(made.authority))
    issued.private_key_pem.write_to_path(str(made.key))
    made.chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return made


def _by_openssl(made):
    openssl = shutil.which("openssl")
    if openssl is None:
        return False
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    files = ("-keyout", str(made.key), "-out", str(made.chain))
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    made.authority.write_bytes(made.chain.read_bytes())
    return True


def _free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def _lean_command(root, ports, cert, delay):
    program = [sys.executable, str(Path(__file__).with_name("lean.py")), str(root), "--port", str(ports[0])]
    if cert is not None:
        program += ["--tls-port", str(ports[1]), "--chain", str(cert.chain), "--key", str(cert.key)]
    return [*program, "--delay", str(delay)]


def _wait_for(port, process):
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {process.args}")


class Running:
    """A server that answers.

    Attributes:
        name: Which one it is.
        origins: ``http`` and, if there is a certificate, ``https``: where it listens.
        authority: The file that clients must trust; None without TLS.
    """

    def __init__(self, name, ports, cert):
        self.name = name
        self.origins = {"http": f"http://127.0.0.1:{ports[0]}"}
        self.authority = None if cert is None else str(cert.authority)
        if cert is not None:
            self.origins["https"] = f"https://127.0.0.1:{ports[1]}"


@contextlib.contextmanager
def server(work, root, *, tls=True, lean=False, delay=0.0):
    """Serve ``root``, with nginx if it is installed; ``delay`` (seconds before each answer) needs our own."""
    cert, ports = certificate(work) if tls else None, (_free_port(), _free_port())
    program = None if lean or delay else nginx.found()
    command = nginx.command(program, root, work, ports, cert) if program else _lean_command(root, ports, cert, delay)
    process = subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for port in ports if cert else ports[:1]:
            _wait_for(port, process)
        yield Running("nginx" if program else "lean asyncio server", ports, cert)
    finally:
        process.terminate()
        process.wait(timeout=10)
