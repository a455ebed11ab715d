"""AES in counter mode with numpy, for zip files encrypted as WinZip does; the standard library has no cipher.

Only what unpacking needs. It is not hardened against an attacker on this machine: the passwords are public.
Sources: FIPS 197 (the cipher), WinZip's AE-1 and AE-2 (the container: PBKDF2 with 1,000 rounds of HMAC-SHA1, a
little-endian counter that starts at 1, and the first 10 bytes of HMAC-SHA1 over the encrypted bytes).
"""

from __future__ import annotations

import hashlib
import hmac

import numpy as np

__all__ = ["SALT_BYTES", "TAG_BYTES", "AesStream", "encrypt_blocks"]

#: Strength byte of the container to bytes of salt and of key.
SALT_BYTES = {1: 8, 2: 12, 3: 16}
_KEY_BYTES = {1: 16, 2: 24, 3: 32}
TAG_BYTES = 10
_ROUNDS_OF_PBKDF2 = 1000


def _tables() -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the S-box and the four tables that do a round's substitution and mixing in one look-up each."""
    power, log = [1] * 256, [0] * 256
    for i in range(1, 255):
        x = power[i - 1]
        # Times 3 in GF(2^8) with the polynomial x^8 + x^4 + x^3 + x + 1.
        double = (x << 1) ^ (0x11B if x & 0x80 else 0)
        power[i] = double ^ x
        log[power[i]] = i
    box = np.zeros(256, dtype=np.uint32)
    for i in range(256):
        inverse = 0 if i == 0 else power[(255 - log[i]) % 255]
        value = inverse
        for shift in range(1, 5):
            value ^= ((inverse << shift) | (inverse >> (8 - shift))) & 0xFF
        box[i] = value ^ 0x63
    double = (box << 1) ^ np.where(box & 0x80, 0x11B, 0).astype(np.uint32)
    column = (double << 24) | (box << 16) | (box << 8) | (double ^ box)
    return box, [((column >> s) | (column << (32 - s) if s else 0)).astype(np.uint32) for s in (0, 8, 16, 24)]


_BOX, _T = _tables()


def _expand(key: bytes) -> np.ndarray:
    """Return the ``(rounds + 1, 4)`` uint32 round keys (FIPS 197, section 5.2)."""
    n = len(key) // 4
    words = [int.from_bytes(key[4 * i : 4 * i + 4], "big") for i in range(n)]
    constant = 1

    def substitute(word: int) -> int:
        return sum(int(_BOX[(word >> s) & 0xFF]) << s for s in (0, 8, 16, 24))

    for i in range(n, 4 * (n + 7)):
        word = words[-1]
        if i % n == 0:
            word = substitute(((word << 8) | (word >> 24)) & 0xFFFFFFFF) ^ (constant << 24)
            constant = (constant << 1) ^ (0x11B if constant & 0x80 else 0)
        elif n > 6 and i % n == 4:
            word = substitute(word)
        words.append(words[i - n] ^ word)
    return np.array(words, dtype=np.uint32).reshape(-1, 4)


def encrypt_blocks(key: bytes, blocks: np.ndarray) -> np.ndarray:
    """Encrypt ``(n, 16)`` uint8 blocks, each for itself.

    Parameters
    ----------
    key
        16, 24 or 32 bytes.
    blocks
        Plain blocks.

    Returns
    -------
    ``(n, 16)`` uint8.
    """
    return _encrypt(_expand(key), blocks)


def _encrypt(keys: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    words = blocks.view(">u4").astype(np.uint32).T  # (4, n): one row a column of the state
    state = [words[c] ^ keys[0, c] for c in range(4)]
    for round_key in keys[1:-1]:
        state = [
            _T[0][state[c] >> 24]
            ^ _T[1][(state[(c + 1) % 4] >> 16) & 0xFF]
            ^ _T[2][(state[(c + 2) % 4] >> 8) & 0xFF]
            ^ _T[3][state[(c + 3) % 4] & 0xFF]
            ^ round_key[c]
            for c in range(4)
        ]
    last = [
        (
            (_BOX[state[c] >> 24] << 24)
            | (_BOX[(state[(c + 1) % 4] >> 16) & 0xFF] << 16)
            | (_BOX[(state[(c + 2) % 4] >> 8) & 0xFF] << 8)
            | _BOX[state[(c + 3) % 4] & 0xFF]
        )
        ^ keys[-1, c]
        for c in range(4)
    ]
    return np.stack(last, axis=1).astype(">u4").view(np.uint8).reshape(-1, 16)


class AesStream:
    """Decrypts one member of a zip file, piece by piece, and knows whether it was left as it was written.

    Parameters
    ----------
    password
        Password.
    salt
        Salt of the member.
    strength
        1, 2 or 3 for keys of 128, 192 and 256 bits.
    """

    def __init__(self, password: bytes, salt: bytes, strength: int) -> None:
        size = _KEY_BYTES[strength]
        derived = hashlib.pbkdf2_hmac("sha1", password, salt, _ROUNDS_OF_PBKDF2, dklen=2 * size + 2)
        self._keys = _expand(derived[:size])
        self._hmac = hmac.new(derived[size : 2 * size], digestmod="sha1")
        #: Two bytes that stand in front of the data and tell most wrong passwords at once.
        self.verifier = derived[2 * size :]
        self._counter, self._rest = 1, b""

    def decrypt(self, data: bytes) -> bytes:
        """Return as many plain bytes as `data` has."""
        self._hmac.update(data)
        need = len(data) - len(self._rest)
        n = -(-need // 16) if need > 0 else 0
        counters = np.zeros((n, 2), dtype="<u8")
        counters[:, 0] = np.arange(self._counter, self._counter + n, dtype=np.uint64)
        self._counter += n
        stream = self._rest + _encrypt(self._keys, counters.view(np.uint8).reshape(-1, 16)).tobytes()
        plain = np.frombuffer(data, np.uint8) ^ np.frombuffer(stream[: len(data)], np.uint8)
        self._rest = stream[len(data) :]
        return plain.tobytes()

    @property
    def tag(self) -> bytes:
        """First 10 bytes of the HMAC over all encrypted bytes so far."""
        return self._hmac.digest()[:TAG_BYTES]
