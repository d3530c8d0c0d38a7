"""Pictures of questions: what they may be, and where they are while a conversation goes on.

A page's state is sent whole with every change, so it has their addresses alone. The pictures are in
this process, as the tab's websocket is; what is kept of a conversation has them with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from edge.pictures import PictureHead, picture_head
from portal.features.playground.conversation.transcript import Image, Turn

MOST_PICTURES: Final = 4
"""Of a question."""
MOST_BYTES: Final = 6_000_000
"""Of a question's pictures together: as base64 they fit into what the API takes of a request."""
MOST_PIXELS: Final = 12_000
"""Of a side: a browser draws what it is sent, a shared conversation's too."""
MOST_OWN: Final = 100
MOST_OWN_BYTES: Final = 32_000_000
MOST_HELD: Final = 2_000
MOST_HELD_BYTES: Final = 128_000_000
IDLE_SECONDS: Final = 6 * 3600.0
"""How long a picture stays that nobody looks at or asks about."""
ADDRESS: Final = "/downloads/pictures/"


class NotTaken(ValueError):
    """A file is not taken for a picture; why, in a sentence."""


class PictureGone(Exception):
    """A conversation's picture is not held any more."""

    code: Final = "picture_gone"

    def __init__(self, name: str) -> None:
        super().__init__(f"The picture {name} is not here any more.")


def checked(content: bytes) -> PictureHead:
    """What a file is by its content; raises ``NotTaken``."""
    if len(content) > MOST_BYTES:
        raise NotTaken(f"It has more than {MOST_BYTES // 1_000_000} MB.")
    head = picture_head(content)
    if head is None:
        raise NotTaken("It is no PNG, JPEG, WebP or GIF.")
    if max(head.width, head.height) > MOST_PIXELS:
        raise NotTaken(f"A side of it has more than {MOST_PIXELS:,} pixels.")
    return head


def address_of(picture_id: str) -> str:
    """Where its owner's browser finds a picture."""
    return ADDRESS + picture_id


def is_held(url: str) -> bool:
    """Whether an image is one that was uploaded here, rather than another site's."""
    return url.startswith(ADDRESS)


def data_url(media_type: str, content: bytes) -> str:
    """The content as an address."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def outline(head: PictureHead) -> str:
    """An address that says a picture's size and nothing of it, for who counts its tokens."""
    sides = head.width.to_bytes(4) + head.height.to_bytes(4)
    chunk = b"IHDR" + sides + b"\x08\x02\x00\x00\x00"
    size = (len(chunk) - 4).to_bytes(4)
    return data_url(
        "image/png", b"\x89PNG\r\n\x1a\n" + size + chunk + zlib.crc32(chunk).to_bytes(4)
    )


@dataclass(slots=True)
class Picture:
    """A picture that is held; ``used`` is when it last was."""

    content: bytes
    head: PictureHead
    used: float = field(default_factory=time.monotonic)


class Pictures:
    """Pictures by whom they are of, bounded: those that were not used for longest go first."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], Picture] = OrderedDict()

    def put(self, owner: str, content: bytes) -> str:
        """Hold a picture; return its id, the same for the same picture. Raises ``NotTaken``."""
        picture = Picture(content, checked(content))
        picture_id = hashlib.sha256(content).hexdigest()[:32]
        self._held.pop((owner, picture_id), None)
        self._held[owner, picture_id] = picture
        self._make_room(owner)
        return picture_id

    def find(self, owner: str, picture_id: str) -> Picture | None:
        """That owner's picture; None for another's, and once it is gone."""
        picture = self._held.get((owner, picture_id))
        if picture is None or picture.used + IDLE_SECONDS < time.monotonic():
            return None
        picture.used = time.monotonic()
        self._held.move_to_end((owner, picture_id))
        return picture

    def at(self, owner: str, url: str) -> Picture | None:
        """That owner's picture at an address of this portal's."""
        return self.find(owner, url.removeprefix(ADDRESS)) if is_held(url) else None

    def _make_room(self, owner: str) -> None:
        idle = time.monotonic() - IDLE_SECONDS
        for key in [key for key, picture in self._held.items() if picture.used < idle]:
            del self._held[key]
        own = [key for key in self._held if key[0] == owner]
        self._shorten(own, MOST_OWN, MOST_OWN_BYTES)
        self._shorten(list(self._held), MOST_HELD, MOST_HELD_BYTES)

    def _shorten(self, keys: Sequence[tuple[str, str]], most: int, most_bytes: int) -> None:
        number = len(keys)
        size = sum(len(self._held[key].content) for key in keys)
        for key in keys:
            if number <= most and size <= most_bytes:
                return
            number -= 1
            size -= len(self._held.pop(key).content)

    def in_full(self, owner: str) -> Callable[[Image], Image]:
        """Gives an image the picture itself, for a model; raises ``PictureGone``."""

        def give(image: Image) -> Image:
            if image.url and not is_held(image.url):
                return image
            picture = self.at(owner, image.url)
            if picture is None:
                raise PictureGone(image.name)
            return replace(image, url=data_url(picture.head.media_type, picture.content))

        return give

    def in_outline(self, owner: str) -> Callable[[Image], Image]:
        """Gives an image its size alone for its address, for a count of tokens."""

        def give(image: Image) -> Image:
            picture = self.at(owner, image.url)
            return image if picture is None else replace(image, url=outline(picture.head))

        return give

    def within(self, owner: str, most_bytes: int) -> Callable[[Image], Image]:
        """Gives images the pictures themselves while they fit, and no address to others."""
        left = most_bytes

        def give(image: Image) -> Image:
            nonlocal left
            if not is_held(image.url):
                return image
            picture = self.at(owner, image.url)
            if picture is None or len(picture.content) * 4 // 3 + 100 > left:
                return replace(image, url="")
            whole = data_url(picture.head.media_type, picture.content)
            left -= len(whole)
            return replace(image, url=whole)

        return give

    def taken_in(self, owner: str) -> Callable[[Image], Image]:
        """Holds a picture that is its image's own address, as it was kept with a conversation."""

        def give(image: Image) -> Image:
            if not image.url.startswith("data:"):
                return image
            try:
                content = base64.b64decode(image.url.partition(",")[2], validate=True)
                return replace(image, url=address_of(self.put(owner, content)))
            except (binascii.Error, ValueError):
                return replace(image, url="")

        return give


def with_images(turns: Sequence[Turn], give: Callable[[Image], Image]) -> list[Turn]:
    """The turns with each image as ``give`` has it, the latest first."""
    changed = [
        replace(turn, images=tuple(give(image) for image in turn.images)) if turn.images else turn
        for turn in reversed(turns)
    ]
    return changed[::-1]


pictures = Pictures()
