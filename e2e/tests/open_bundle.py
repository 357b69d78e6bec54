#!/usr/bin/env python3
"""Opens a Segue bundle from `crates/crypto/vectors/bundle.json`, written from `docs/protocol.md` alone.

Needs Python 3.10 and the package `cryptography`. HPKE (RFC 9180) is written out. Verifies in the protocol's order and
prints the files' names, sizes and SHA-256 as JSON; any refusal is an exception.

    python3 open_bundle.py [bundle.json]
"""

import hashlib
import hmac
import json
import pathlib
import sys
import unicodedata
import zlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

SUITE = 1
SEGMENT_MAX = 4 << 20
SESSION_MAX = 4 << 30
NONCE = bytes(12)


class Refused(Exception):
    """What a receiver does not take."""


def need(condition, why):
    if not condition:
        raise Refused(why)


def sha256(data):
    return hashlib.sha256(data).digest()


def same(left, right):
    return hmac.compare_digest(left, right)


# Encoding

def lv_cat(*fields):
    out = bytearray()
    for field in fields:
        field = field.encode() if isinstance(field, str) else field
        length = len(field)
        while length > 0x7F:
            out.append(length & 0x7F | 0x80)
            length >>= 7
        out.append(length)
        out += field
    return bytes(out)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def field(self):
        length = 0
        for index in range(5):
            need(self.at < len(self.data), "cut short")
            byte = self.data[self.at]
            self.at += 1
            length |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                need(index == 0 or byte, "length not minimal")
                break
        else:
            raise Refused("length too long")
        need(length < 1 << 32 and self.at + length <= len(self.data), "cut short")
        self.at += length
        return self.data[self.at - length : self.at]

    def exact(self, size):
        field = self.field()
        need(len(field) == size, f"not {size} bytes")
        return field

    def maybe(self, size):
        field = self.field()
        need(len(field) in (0, size), f"not {size} bytes or absent")
        return field

    def text(self):
        return self.field().decode("utf-8", "strict")

    def u(self, size):
        value = int.from_bytes(self.exact(size), "big")
        need(value < 1 << 53, "integer too large")
        return value

    def label(self, label):
        need(self.field() == label.encode(), f"not {label}")

    def items(self):
        inner, found = Reader(self.field()), []
        while inner.at < len(inner.data):
            found.append(Reader(inner.field()))
        return found

    def end(self):
        need(self.at == len(self.data), "trailing bytes")


# Signatures: Ed25519, small-order keys refused

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P


def small_order(key):
    y = int.from_bytes(key, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need((x * x - square) % P == 0, "no point")
    for _ in range(3):
        xx, yy, t = x * x % P, y * y % P, D * x * x * y * y % P
        x, y = 2 * x * y * pow(1 + t, P - 2, P) % P, (yy + xx) * pow(1 - t, P - 2, P) % P
    return (x % P, y % P) == (0, 1)


def verify(key, label, content, signature):
    need(not small_order(key), "weak key")
    Ed25519PublicKey.from_public_bytes(key).verify(signature, lv_cat("segue/sig/1", label, content))


# Key derivation and HPKE base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305

def extract(salt, ikm):
    return hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()


def expand(prk, info, length):
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([counter]), hashlib.sha256).digest()
        out, counter = out + block, counter + 1
    return out[:length]


def hkdf(salt, ikm, info):
    return expand(extract(salt, ikm), info, 32)


KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
HPKE_SUITE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0003))


def labeled_extract(suite, salt, label, ikm):
    return extract(salt, b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite, prk, label, info, length):
    return expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def hpke_open(private, enc, info, aad, ct):
    key = X25519PrivateKey.from_private_bytes(private)
    dh = key.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + key.public_key().public_bytes_raw()
    shared = labeled_expand(KEM_SUITE, labeled_extract(KEM_SUITE, b"", b"eae_prk", dh), b"shared_secret", context, 32)
    schedule = (
        b"\0"
        + labeled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"")
        + labeled_extract(HPKE_SUITE, b"", b"info_hash", info)
    )
    secret = labeled_extract(HPKE_SUITE, shared, b"secret", b"")
    aead_key = labeled_expand(HPKE_SUITE, secret, b"key", schedule, 32)
    nonce = labeled_expand(HPKE_SUITE, secret, b"base_nonce", schedule, 12)
    return ChaCha20Poly1305(aead_key).decrypt(nonce, ct, aad)


# Structures

def key_fp(public):
    return sha256(lv_cat("segue/key/1", (0x0020).to_bytes(2, "big"), public))


def read_card(data):
    reader = Reader(data)
    reader.label("segue/keycard/1")
    card = {"user_id": reader.text(), "seq": reader.u(4), "previous": reader.maybe(32), "ik": reader.exact(32)}
    card |= {"ek": reader.exact(32), "epoch": reader.u(4), "devices": {}}
    for device in reader.items():
        _, key, kind, _, revoked = device.text(), device.exact(32), device.text(), device.u(8), device.maybe(8)
        device.end()
        need(kind in ("full", "agent"), "unknown device kind")
        if not revoked:
            card["devices"][key] = kind
    reader.u(8), reader.maybe(32), reader.u(8)
    body, signature = data[: reader.at], data[reader.at :]
    need(card["seq"] == 1 and not card["previous"] and len(signature) == 64, "not a first card")
    verify(card["ik"], "keycard", body, signature)
    return card


def read_recipient(reader):
    recipient = (reader.text(), reader.text(), reader.exact(32), reader.u(4))
    reader.end()
    need(recipient[0] in ("user", "team", "invite", "own"), "unknown recipient kind")
    return recipient


def read_header(data):
    reader = Reader(data)
    reader.label("segue/bundle/1")
    need(reader.u(1) == SUITE, "unknown suite")
    header = {"bundle_id": reader.exact(16), "kind": reader.text(), "handoff_id": reader.text(), "rev": reader.u(4)}
    header |= {"session_id": reader.text(), "seq": reader.u(8), "parent": reader.maybe(32), "sender_id": reader.text()}
    header |= {"ik": reader.exact(32), "dk": reader.exact(32), "author_id": reader.text()}
    header["recipients"] = [read_recipient(item) for item in reader.items()]
    header |= {"card": reader.field(), "message": reader.text(), "ticket": reader.text(), "persona": reader.text()}
    header["attachments"] = [item.data.decode() for item in reader.items()]
    header |= {"created": reader.u(8), "not_after": reader.u(8), "directory": reader.maybe(32)}
    reader.end()
    return header


def read_envelope(data, card):
    body, signature = data[:-64], data[-64:]
    reader = Reader(body)
    reader.label("segue/envelope/1")
    header_bytes = reader.field()
    envelope = {"header": read_header(header_bytes), "header_hash": sha256(header_bytes)}
    envelope |= {"manifest": reader.exact(32), "manifest_len": reader.u(4), "preview": reader.maybe(32)}
    envelope["packs"] = [(item.exact(16), item.exact(32), item.u(8)) for item in reader.items()]
    envelope |= {"commit": reader.exact(32), "claim_check": reader.exact(32)}
    reader.end()
    header = envelope["header"]
    need(header["sender_id"] == card["user_id"] and header["ik"] == card["ik"], "another sender")
    need(header["dk"] in card["devices"], "no active device of the sender")
    verify(header["dk"], "envelope", body, signature)
    return envelope


# Unlocking

def derived(key, name, bundle_id):
    return hkdf(b"", key, lv_cat("segue/bk/1", name, bundle_id))


def unwrap(envelope, data, me, owner_key=None):
    reader, header, commit = Reader(data), envelope["header"], envelope["commit"]
    kind, user, fp, epoch = reader.text(), reader.text(), reader.exact(32), reader.u(4)
    enc, ct = reader.maybe(32), reader.exact(48)
    reader.end()
    need(user == me["id"] and epoch == me["epoch"] and bool(enc) == (kind != "own"), "another wrap")
    place = (bytes([SUITE]), header["bundle_id"], header["ik"], kind, user, fp, epoch.to_bytes(4, "big"))
    info = lv_cat("segue/wrap/1", *place)
    if kind == "own":
        need(fp == bytes(32), "an own-wrap has no fingerprint")
        key = AESGCM(hkdf(commit, owner_key, info)).decrypt(NONCE, ct, commit)
    else:
        private = bytes.fromhex(me["private_key"])
        need(fp == key_fp(X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()), "another key")
        need((kind, user, fp, epoch) in header["recipients"], "not a recipient")
        key = hpke_open(private, enc, info, commit, ct)
    need(same(derived(key, "commit", header["bundle_id"]), commit), "another key than committed to")
    return key


def open_body(envelope, key, name, sealed):
    need(same(sha256(sealed), envelope[name]), f"another {name} than signed")
    return AESGCM(derived(key, name, envelope["header"]["bundle_id"])).decrypt(NONCE, sealed, envelope["header_hash"])


# Contents

DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    name + digit for name in ("com", "lpt") for digit in "0123456789¹²³"
}


def fold(path):
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).upper().lower())


def check_paths(paths):
    for path in paths:
        need(0 < len(path.encode()) <= 512, "path length")
        need(not any(unicodedata.category(symbol) == "Cc" or symbol in "\\:" for symbol in path), "path character")
        for part in path.split("/"):
            need(part not in ("", ".", "..") and part[-1] not in ". ", "path component")
            need(part.split(".")[0].rstrip(" ").lower() not in DEVICES, "device name")
    folded = {fold(path) for path in paths}
    need(len(folded) == len(paths), "twins")
    for path in folded:
        parts = path.split("/")
        need(not any("/".join(parts[:end]) in folded for end in range(1, len(parts))), "a file and a folder")


def read_segment(data):
    numbers, at = [], 64
    for size in (4, 8, 4, 4, 1, 4):
        numbers.append(int.from_bytes(data[at : at + size], "big"))
        at += size
    return data[:32], data[32:64], *numbers


def check_segment(entry):
    _, _, _, _, sealed_len, plain_len, codec, prefix_len = entry
    need(0 < plain_len <= SEGMENT_MAX and prefix_len == 0 and codec in (0, 1, 3), "segment entry")
    coded_len = sealed_len - 16
    need(coded_len == plain_len if codec == 0 else 0 < coded_len < plain_len, "segment length")


def read_manifest(data):
    reader = Reader(data)
    reader.label("segue/manifest/1")
    records = reader.items()
    raw, total, content = reader.field(), reader.u(8), reader.exact(32)
    padding = data[reader.at :]
    need(len(data) % 4096 == 0 and len(padding) < 4096 and not any(padding), "padding")
    need(len(raw) % 89 == 0 and 0 < len(records) <= 10_000 and len(raw) <= 89 * 65_536, "limits")
    segments = [read_segment(raw[at : at + 89]) for at in range(0, len(raw), 89)]
    for entry in segments:
        check_segment(entry)
    files, hashed, rest = [], [], segments
    for record in records:
        path, mode, size, count = record.text(), record.u(1), record.u(8), record.u(4)
        record.end()
        own, rest = rest[:count], rest[count:]
        need(mode in (0, 1) and len(own) == count and sum(item[5] for item in own) == size, "file record")
        hashed.append(record.data + b"".join(item[0] for item in own))
        files.append((path, mode, size, own))
    need(not rest and total == sum(size for _, _, size, _ in files) <= SESSION_MAX, "sums")
    need(same(sha256(lv_cat("segue/content/1", *hashed)), content), "content hash")
    check_paths([path for path, _, _, _ in files])
    return files


def open_segment(entry, packs):
    digest, key, index, offset, sealed_len, plain_len, codec, prefix_len = entry
    need(index < len(packs), "a pack that is not listed")
    sealed = packs[index][offset : offset + sealed_len]
    need(len(sealed) == sealed_len, "outside its pack")
    aad = lv_cat("segue/seg/1", bytes([codec]), plain_len.to_bytes(4, "big"), prefix_len.to_bytes(4, "big"))
    plain = AESGCM(key).decrypt(NONCE, sealed, aad)
    if codec == 3:
        decoder = zlib.decompressobj(wbits=31)
        plain = decoder.decompress(plain, plain_len + 1)
        need(decoder.eof and not decoder.unused_data, "not one gzip member")
    else:
        need(codec == 0, f"codec {codec} is not opened here")
    need(len(plain) == plain_len and same(sha256(plain), digest), "another segment than named")
    return plain


def open_bundle(vector):
    card = read_card(bytes.fromhex(vector["sender_card"]))
    envelope = read_envelope(bytes.fromhex(vector["envelope"]), card)
    header, me = envelope["header"], vector["recipient"]
    need(header["kind"] == "handoff" and header["handoff_id"] == vector["handoff_id"], "another handoff")
    need(vector["now"] < header["not_after"], "expired")
    key = unwrap(envelope, bytes.fromhex(vector["wrap"]), me)
    owner = vector["owner"]
    need(key == unwrap(envelope, bytes.fromhex(vector["own_wrap"]), owner, bytes.fromhex(owner["owner_key"])), "own")
    claim = derived(key, "claim", header["bundle_id"])
    need(same(sha256(claim), envelope["claim_check"]), "claim check")
    preview = open_body(envelope, key, "preview", bytes.fromhex(vector["sealed_preview"]))
    sealed = bytes.fromhex(vector["sealed_manifest"])
    need(len(sealed) == envelope["manifest_len"], "manifest length")
    files = read_manifest(open_body(envelope, key, "manifest", sealed))
    packs = [bytes.fromhex(pack["bytes"]) for pack in vector["packs"]]
    need(len(packs) == len(envelope["packs"]), "packs")
    for pack, (_, digest, length) in zip(packs, envelope["packs"]):
        need(len(pack) == length and same(sha256(pack), digest), "another pack than signed")
    out = []
    for path, _, size, segments in files:
        plain = b"".join(open_segment(entry, packs) for entry in segments)
        out.append({"path": path, "size": size, "sha256": hashlib.sha256(plain).hexdigest()})
    return {"claim_proof": claim.hex(), "preview": preview.decode(), "files": sorted(out, key=lambda file: file["path"])}


def main():
    default = pathlib.Path(__file__).parents[2] / "crates/crypto/vectors/bundle.json"
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    vector = json.loads(path.read_text(encoding="utf-8"))
    opened = open_bundle(vector)
    need(opened == vector["expected"], f"opened, but to {opened}")
    print(json.dumps(opened, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
