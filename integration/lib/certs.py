"""A certificate authority for one test session."""

import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = datetime.datetime.utcnow()


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alt_names(names):
    out = []
    for name in names:
        try:
            out.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            out.append(x509.DNSName(name))
    return x509.SubjectAlternativeName(out)


def _builder(subject, issuer, key, days):
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - datetime.timedelta(days=30))
        .not_valid_after(_NOW + datetime.timedelta(days=days))
    )


class Pair:
    """The files of a key and its certificate."""

    def __init__(self, folder, name, key, cert):
        self.key_file = os.path.join(folder, name + ".key")
        self.cert_file = os.path.join(folder, name + ".crt")
        with open(self.key_file, "wb") as out:
            out.write(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        with open(self.cert_file, "wb") as out:
            out.write(cert.public_bytes(serialization.Encoding.PEM))

    def server_context(self, alpn):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(self.cert_file, self.key_file)
        if alpn:
            ctx.set_alpn_protocols(alpn)
        return ctx


class Authority:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(name)
        cert = (
            _builder(name, self._subject, self._key, 365)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        self.files = Pair(folder, name, self._key, cert)
        self.file = self.files.cert_file

    def issue(self, label, names, days=365):
        """A key pair for these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = (
            _builder(names[0], self._subject, key, days)
            .add_extension(_alt_names(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return Pair(self.folder, label, key, cert)


class Certs:
    """Everything that the tests need, made once."""

    def __init__(self, folder):
        self.ca = Authority(folder, "test-ca")
        self.other_ca = Authority(folder, "other-ca")
        self.front = self.ca.issue("front", ["front.test", "localhost", "127.0.0.1"])
        self.front2 = self.ca.issue("front2", ["second.test"])
        self.back = self.ca.issue("back", ["backend.test", "localhost", "127.0.0.1"])
        self.back_other_ca = self.other_ca.issue("back-other-ca", ["backend.test", "127.0.0.1"])
        self.back_wrong_name = self.ca.issue("back-wrong-name", ["elsewhere.test"])
        self.back_expired = self.ca.issue("back-expired", ["backend.test", "127.0.0.1"], days=-1)

    def client_context(self, alpn=None):
        """A client that trusts the test authority and checks names."""
        ctx = ssl.create_default_context(cafile=self.ca.file)
        if alpn:
            ctx.set_alpn_protocols(alpn)
        return ctx
