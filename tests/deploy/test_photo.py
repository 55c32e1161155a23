"""Photos as people have them: decoded, or refused in a line."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from small_cascade import photo_pixels

from deeppose.core.errors import ImageError
from deeppose.deploy.photo import read_photo


def test_a_photo_is_rgb_and_the_right_way_up(tmp_path):
    pixels = np.zeros((8, 6, 3), dtype=np.uint8)
    pixels[0] = (255, 0, 0)  # blue, as OpenCV writes
    cv2.imwrite(str(tmp_path / "p.png"), pixels)
    photo = read_photo(tmp_path / "p.png").pixels
    assert photo.shape == (8, 6, 3)
    assert photo[0, 0].tolist() == [0, 0, 255]
    assert photo.flags["C_CONTIGUOUS"]
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    # An APP1 block that says "turned by a quarter" (orientation 6).
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    app1 = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "turned.jpg").write_bytes(jpeg[:2] + app1 + jpeg[2:])
    assert read_photo(tmp_path / "turned.jpg").pixels.shape == (6, 8, 3)


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_what_is_no_photo_is_named(tmp_path, data):
    (tmp_path / "p.jpg").write_bytes(data)
    with pytest.raises(ImageError, match=rf"p\.jpg is no image that can be decoded \({len(data)} bytes\)"):
        read_photo(tmp_path / "p.jpg")


def saved(kind, **options):
    written = io.BytesIO()
    Image.fromarray(photo_pixels()).save(written, kind, **options)
    return written.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_of_several_pictures_the_first_is_taken_and_that_is_said(tmp_path, kind):
    others = [Image.fromarray(255 - photo_pixels())]
    (tmp_path / "photo").write_bytes(saved(kind, save_all=True, append_images=others))
    photo = read_photo(tmp_path / "photo")
    assert photo.remarks == (f"{tmp_path}/photo holds several pictures: the first is taken",)
    off = [
        np.abs(photo.pixels.astype(int) - pixels).mean() for pixels in (photo_pixels(), 255 - photo_pixels())
    ]
    assert off[0] < off[1] / 2


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP", "JPEG"])
def test_of_one_picture_nothing_is_said(tmp_path, kind):
    (tmp_path / "photo").write_bytes(saved(kind))
    assert read_photo(tmp_path / "photo").remarks == ()


@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [10, 12])
def test_fewer_bits_in_16_are_not_black(tmp_path, ending, bits):
    levels = photo_pixels().astype(np.uint16) << bits - 8
    cv2.imwrite(str(tmp_path / f"photo{ending}"), levels[..., ::-1])
    photo = read_photo(tmp_path / f"photo{ending}")
    np.testing.assert_array_equal(photo.pixels, photo_pixels())
    assert f"uses {bits} of 16 bits" in photo.remarks[0]


def test_16_bits_are_rounded_down_to_8(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), (photo_pixels().astype(np.uint16) * 257)[..., ::-1])
    assert read_photo(tmp_path / "photo.png").remarks == ()
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png").pixels, photo_pixels())


def truncated(kind):
    return saved(kind)[: len(saved(kind)) // 2]


def too_large():
    written = io.BytesIO()
    Image.new("1", (12000, 12000)).save(written, "PNG")
    return written.getvalue()


UNDECODED = r"is no image that can be decoded \(\d+ bytes\)"
UNREADABLE = {
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(90), f"{UNDECODED}: it is HEIC, save it as JPEG or PNG"),
    "half a PNG": (truncated("PNG"), UNDECODED),
    "half a JPEG": (truncated("JPEG"), UNDECODED),
    "half a WebP": (truncated("WEBP"), UNDECODED),
    "fractions": (
        cv2.imencode(".pfm", photo_pixels()[..., 0].astype(np.float32))[1].tobytes(),
        "holds float32, not 8 or 16 bits a colour",
    ),
    "too many pixels": (too_large(), "is 12000×12000 pixels, more than 32 million of its format"),
}


@pytest.mark.parametrize(("data", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_can_not_be_taken_is_named(tmp_path, capfd, data, said):
    (tmp_path / "photo").write_bytes(data)
    with pytest.raises(ImageError, match=f"photo {said}"):
        read_photo(tmp_path / "photo")
    assert capfd.readouterr().err == ""


def test_a_file_without_end(monkeypatch):
    monkeypatch.setattr("deeppose.deploy.photo.MOST_BYTES", 1_000_000)
    with pytest.raises(ImageError, match=r"/dev/zero has more than 1 MB"):
        read_photo(Path("/dev/zero"))
