"""What names a content: two of the same name are the same, on any machine."""

from __future__ import annotations

import hashlib


def content_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
