"""A key shared by those who offer something learned and those who fly it: HMAC-SHA256, so that a stranger's is refused.

The key is read from a file that its owner alone can read; parameters name the file at most. It signs what a payload is
for, too: a signed policy is no model.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat

from mbrl_ros.config import ConfigError

ENVIRONMENT = "MBRL_ROS_KEY_FILE"  # names the file where no setting does
LEAST_BYTES, MOST_BYTES = 16, 65536
MAKE_ONE = "make one: (umask 077; openssl rand -hex 32 > {path})"


def key_path(setting: str = "") -> str:
    """Of the key file that is asked for; empty where none is."""
    return setting or os.environ.get(ENVIRONMENT, "")


def read_key(setting: str = "") -> bytes | None:
    """None where no key is asked for. ConfigError where one is, and cannot be used."""
    path = key_path(setting)
    if not path:
        return None
    whose = f"key file {path}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(f"{whose}: {error.strerror}; {MAKE_ONE.format(path=path)}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{whose} is not a file; {MAKE_ONE.format(path=path)}")
        if found.st_uid != os.geteuid():
            raise ConfigError(f"{whose} belongs to user {found.st_uid}, not to this one, who is {os.geteuid()}")
        if found.st_mode & 0o077:
            raise ConfigError(f"{whose} can be read by others (mode {found.st_mode & 0o777:04o}); chmod 600 {path}")
        key = os.read(descriptor, MOST_BYTES).strip()
    finally:
        os.close(descriptor)
    if len(key) < LEAST_BYTES:
        length = f"has {len(key)} bytes, at least {LEAST_BYTES} are wanted" if key else "is empty"
        raise ConfigError(f"{whose} {length}; {MAKE_ONE.format(path=path)}")
    return key


def signature(key: bytes, kind: str, content: bytes) -> str:
    """`kind`: what the content is for, such as model."""
    return hmac.new(key, kind.encode() + b"\0" + content, hashlib.sha256).hexdigest()


def is_signed(key: bytes, kind: str, content: bytes, signed: str) -> bool:
    return hmac.compare_digest(signature(key, kind, content).encode(), signed.encode())
