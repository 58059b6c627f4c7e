"""Two doors that harm: one loses the answers of COMMIT, one shows another certificate than it should."""

import contextlib
import datetime as dt
import ipaddress
import random
import socket
import ssl
import struct
import threading
from pathlib import Path

_WHOLE = 65536
_HEAD = 5


class Door:
    """A listening socket on loopback; each connection goes through ``carry`` in a thread of its own."""

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.struck_at: list[dt.datetime] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listening.close()

    @property
    def hit(self) -> int:
        return len(self.struck_at)

    def struck(self):
        with self._lock:
            self.struck_at.append(dt.datetime.now(dt.UTC))

    def carry(self, client):
        raise NotImplementedError

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carried, args=(client,), daemon=True).start()

    def _carried(self, client):
        try:
            self.carry(client)
        except OSError:
            pass
        finally:
            _shut(client)


class CommitDoor(Door):
    """Carries PostgreSQL's protocol; sometimes COMMIT arrives there, and its answer does not come back."""

    def __init__(self, unix_socket: str, *, seed: int):
        self._unix_socket, self._draw = unix_socket, random.Random(seed)
        self.probability = 0.0
        super().__init__()

    def carry(self, client):
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self._unix_socket)
            lost = threading.Event()
            back = threading.Thread(target=self._bring_back, args=(server, client, lost), daemon=True)
            back.start()
            begun = False
            for message in _messages(client):
                if begun and _is_commit(message) and self._draw.random() < self.probability:
                    lost.set()
                server.sendall(message)
                begun = begun or message[:1] == b"p"  # the password: from here on every message has a type
            _shut(server)
            back.join()

    def _bring_back(self, server, client, lost):
        try:
            while piece := server.recv(_WHOLE):
                if lost.is_set():
                    # PostgreSQL has answered: it is committed. Nobody hears of it.
                    self.struck()
                    break
                client.sendall(piece)
        except OSError:
            pass
        finally:
            _shut(client)
            _shut(server)


def _is_commit(message: bytes) -> bool:
    return message[:1] in {b"Q", b"P"} and b"COMMIT" in message[:64].upper()


def _messages(client):
    """The client's messages whole: those of the beginning have no type, all later ones do."""
    buffer, typed = b"", False
    while True:
        head = 1 if typed else 0
        while len(buffer) < head + 4 or len(buffer) < head + struct.unpack_from("!I", buffer, head)[0]:
            piece = client.recv(_WHOLE)
            if not piece:
                return
            buffer += piece
        length = head + struct.unpack_from("!I", buffer, head)[0]
        message, buffer = buffer[:length], buffer[length:]
        # Requests for TLS or GSS come first, without a type, and are answered by one letter.
        if not typed and struct.unpack_from("!I", message, 4)[0] == 3 << 16:
            typed = True
        yield message


class TlsDoor(Door):
    """Ends TLS before a plain server; while ``wrong`` it shows a certificate that nobody trusts."""

    def __init__(self, port: int, folder: Path):
        self._plain = port
        self.wrong = False
        self.trusted = folder / "door-ca.pem"
        good = _certificate(folder / "door.pem", trust=self.trusted)
        bad = _certificate(folder / "stranger.pem", trust=None)
        self._contexts = {False: good, True: bad}
        self._open: list = []
        super().__init__()

    def show(self, *, wrong: bool):
        """From now on this certificate; nobody keeps a connection that was made with the other."""
        self.wrong = wrong
        while self._open:
            _shut(self._open.pop())

    def carry(self, client):
        wrong = self.wrong
        try:
            inner = self._contexts[wrong].wrap_socket(client, server_side=True)
        except ssl.SSLError:
            if wrong:
                self.struck()
            return
        with socket.create_connection(("127.0.0.1", self._plain)) as server:
            self._open.append(server)
            there = threading.Thread(target=_pour, args=(inner, server), daemon=True)
            there.start()
            _pour(server, inner)
            there.join(5)


def _pour(source, sink):
    try:
        while piece := source.recv(_WHOLE):
            sink.sendall(piece)
    except OSError:
        pass
    finally:
        _shut(sink)
        _shut(source)


def _shut(end):
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _certificate(path: Path, *, trust: Path | None) -> ssl.SSLContext:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, path.stem)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=3))
        .not_valid_after(now + dt.timedelta(days=3))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)
    if trust is not None:
        trust.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
