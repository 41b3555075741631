"""Decoding: every format, depth and colour model by value; orientation; profiles; focal length; bad files."""

from __future__ import annotations

import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from semblance.core_models.photo import exif
from semblance.core_models.photo.decode import ALPHA_BACKGROUND, MAX_SIDE
from semblance.core_models.photo.load import (
    PhotoDamagedError,
    PhotoFormatError,
    PhotoNotFoundError,
    PhotoSizeError,
    PhotoUnreadableError,
    load_photo,
)

HEIGHT, WIDTH = 70, 90


@pytest.fixture
def rgb() -> np.ndarray:
    """Smooth in x and y, so that JPEG keeps it; no symmetry."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / [[[HEIGHT]], [[WIDTH]]]
    return np.uint8(255 * np.stack([x, y, 0.8 * (1 - x * y)], -1))


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


# ---------------------------------------------------------------- formats, depths, colour models


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "bmp"])
def test_lossless_formats_are_read_exactly(rgb: np.ndarray, tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    photo = load_photo(save(Image.fromarray(rgb), tmp_path / f"a.{suffix}", **options))
    assert photo.srgb.dtype == np.uint8 and photo.srgb.flags.c_contiguous and photo.srgb.flags.writeable
    assert (photo.height, photo.width, photo.focal_px, photo.warnings) == (HEIGHT, WIDTH, None, ())
    np.testing.assert_array_equal(photo.srgb, rgb)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg(rgb: np.ndarray, tmp_path: Path, options: dict[str, object]) -> None:
    photo = load_photo(save(Image.fromarray(rgb), tmp_path / "a.jpg", quality=98, **options))
    np.testing.assert_allclose(photo.srgb, rgb, atol=6)


def test_the_content_tells_the_format_not_the_name(rgb: np.ndarray, tmp_path: Path) -> None:
    path = save(Image.fromarray(rgb), tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(load_photo(path).srgb, rgb)


@pytest.mark.parametrize("name", ["mit Leerzeichen.png", "Zoë 写真 صورة.png", "a'b\"c.png"])
def test_any_file_name(rgb: np.ndarray, tmp_path: Path, name: str) -> None:
    photo = load_photo(str(save(Image.fromarray(rgb), tmp_path / name)))
    assert photo.path.endswith(name)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_rounded_not_cut(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, channels), np.uint16)
    if channels == 4:
        deep[..., 3] = 65535
    path = tmp_path / f"深い.{suffix}"
    path.write_bytes(cv2.imencode(f".{suffix}", deep)[1].tobytes())
    expected = np.round(deep / 257)[..., 2::-1] if channels > 1 else np.repeat(np.round(deep / 257), 3, -1)
    np.testing.assert_array_equal(load_photo(path).srgb, expected)


def test_grey_bilevel_and_palette(rgb: np.ndarray, tmp_path: Path) -> None:
    grey = Image.fromarray(rgb).convert("L")
    expected = np.repeat(np.asarray(grey)[..., None], 3, -1)
    np.testing.assert_array_equal(load_photo(save(grey, tmp_path / "l.png")).srgb, expected)
    bilevel = grey.convert("1")
    np.testing.assert_array_equal(
        load_photo(save(bilevel, tmp_path / "1.png")).srgb[..., 0], np.asarray(bilevel) * 255
    )
    palette = Image.fromarray(rgb).quantize(64)
    np.testing.assert_array_equal(
        load_photo(save(palette, tmp_path / "p.png")).srgb, np.asarray(palette.convert("RGB"))
    )


def over_grey(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return rgb * share + ALPHA_BACKGROUND * (1 - share)


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
def test_transparency_is_laid_over_grey(rgb: np.ndarray, tmp_path: Path, suffix: str) -> None:
    alpha = np.uint8(np.linspace(0, 255, WIDTH))[None].repeat(HEIGHT, 0)
    image = Image.fromarray(np.dstack([rgb, alpha]))
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    photo = load_photo(save(image, tmp_path / f"a.{suffix}", **options))
    np.testing.assert_allclose(photo.srgb, over_grey(rgb, alpha), atol=1)


def test_transparent_grey_and_palette(rgb: np.ndarray, tmp_path: Path) -> None:
    alpha = np.uint8(np.linspace(0, 255, HEIGHT))[:, None].repeat(WIDTH, 1)
    grey = rgb[..., 0]
    la = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    np.testing.assert_allclose(
        load_photo(save(la, tmp_path / "la.png")).srgb, over_grey(np.dstack([grey] * 3), alpha), atol=1
    )
    palette = Image.fromarray(rgb).quantize(16)
    clear = int(np.asarray(palette)[0, 0])
    result = load_photo(save(palette, tmp_path / "p.png", transparency=clear)).srgb
    hidden = np.asarray(palette) == clear
    assert (result[hidden] == ALPHA_BACKGROUND).all()
    np.testing.assert_array_equal(result[~hidden], np.asarray(palette.convert("RGB"))[~hidden])


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
def test_cmyk_without_profile_is_approximate_and_says_so(
    rgb: np.ndarray, tmp_path: Path, suffix: str
) -> None:
    options = {"quality": 98} if suffix == "jpg" else {}
    photo = load_photo(save(Image.fromarray(rgb).convert("CMYK"), tmp_path / f"a.{suffix}", **options))
    np.testing.assert_allclose(photo.srgb, rgb, atol=8)
    assert any("CMYK" in warning for warning in photo.warnings)


def test_several_pictures_in_a_file(rgb: np.ndarray, tmp_path: Path) -> None:
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    path = save(frames[0], tmp_path / "a.tiff", save_all=True, append_images=frames[1:])
    photo = load_photo(path)
    np.testing.assert_array_equal(photo.srgb, rgb)
    assert any("several" in warning for warning in photo.warnings)


# ---------------------------------------------------------------- colour profiles

ADOBE_TO_XYZ = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
"""D50, Adobe RGB (1998) as ICC profiles hold it."""
SRGB_TO_XYZ = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def icc_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], device: bytes = b"mntr") -> bytes:
    """An ICC version 2 profile (ICC.1:2001-04, 6.1 and 6.3)."""
    table, blocks = b"", b""
    for signature, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += signature + struct.pack(">II", 132 + 12 * len(tags) + len(blocks), len(data))
        blocks += data
    body = struct.pack(">I", len(tags)) + table + blocks
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"lcms", 0x02400000, device, space, connection)
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28 + fixed(0.9642, 1, 0.8249)
    return header.ljust(128, b"\0") + body


def curve(gamma: float) -> bytes:
    return b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256))


def adobe_rgb_profile() -> bytes:
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249)}
    for i, channel in enumerate((b"r", b"g", b"b")):
        tags[channel + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*ADOBE_TO_XYZ[:, i])
        tags[channel + b"TRC"] = curve(563 / 256)
    return icc_profile(b"RGB ", b"XYZ ", tags)


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "webp"])
def test_wide_gamut_profile_is_converted(rgb: np.ndarray, tmp_path: Path, suffix: str) -> None:
    soft = np.uint8(80 + rgb * 0.35)
    options: dict[str, object] = {"jpg": {"quality": 98}, "webp": {"lossless": True}}.get(suffix, {})
    path = save(Image.fromarray(soft), tmp_path / f"a.{suffix}", icc_profile=adobe_rgb_profile(), **options)
    linear = (soft / 255) ** (563 / 256) @ (np.linalg.inv(SRGB_TO_XYZ) @ ADOBE_TO_XYZ).T
    photo = load_photo(path)
    assert photo.warnings == ()
    error = np.abs(photo.srgb - 255 * encode_srgb(linear))
    assert error.mean() < 1 if suffix == "jpg" else error.max() < 1.5
    assert abs(photo.srgb.astype(float) - soft).max() > 8


def test_grey_profile_is_converted_under_transparency(rgb: np.ndarray, tmp_path: Path) -> None:
    profile = icc_profile(
        b"GRAY", b"XYZ ", {b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249), b"kTRC": curve(1.8)}
    )
    grey = rgb[..., 0]
    opaque = Image.fromarray(np.full_like(grey, 255))
    image = Image.merge("LA", [Image.fromarray(grey), opaque])
    photo = load_photo(save(image, tmp_path / "a.png", icc_profile=profile))
    assert photo.warnings == ()
    np.testing.assert_allclose(photo.srgb[..., 1], 255 * encode_srgb((grey / 255) ** 1.8), atol=2)


def test_cmyk_profile_is_used(rgb: np.ndarray, tmp_path: Path) -> None:
    """A made-up press on which cyan ink prints as Lab (60, 0, 0) grey, and the others as nothing."""
    white, cyan = (100.0, 0.0, 0.0), (60.0, 0.0, 0.0)
    encoded = [
        struct.pack(">3H", *(round(v) for v in (lab[0] * 652.8, 32768, 32768))) for lab in (white, cyan)
    ]
    clut = b"".join(encoded[c] * 8 for c in (0, 1))
    linear = struct.pack(">2H", 0, 65535)
    lut = b"mft2\0\0\0\0" + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + struct.pack(">2H", 2, 2)
    lut += linear * 4 + clut + linear * 3
    profile = icc_profile(
        b"CMYK", b"Lab ", {b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249), b"A2B0": lut}, b"prtr"
    )
    ink = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    ink[:, WIDTH // 2 :, 0] = 255
    ink[..., 1] = 128
    photo = load_photo(save(Image.fromarray(ink, "CMYK"), tmp_path / "a.tiff", icc_profile=profile))
    assert photo.warnings == ()
    assert (photo.srgb[:, : WIDTH // 2] >= 253).all()
    assert np.ptp(photo.srgb[:, WIDTH // 2 :], axis=-1).max() <= 2
    assert (photo.srgb[:, -1] < 200).all()


def test_lab(tmp_path: Path) -> None:
    lab = Image.merge(
        "LAB", [Image.new("L", (WIDTH, HEIGHT), value) for value in (255 * 60 // 100, 128, 128)]
    )
    pixel = load_photo(save(lab, tmp_path / "a.tiff")).srgb[5, 5]
    np.testing.assert_allclose(pixel, 145, atol=2)  # L* = 60 is sRGB 145


@pytest.mark.parametrize("profile", [b"nonsense", adobe_rgb_profile()[:200], b"\0" * 500])
def test_a_damaged_profile_is_reported_and_ignored(rgb: np.ndarray, tmp_path: Path, profile: bytes) -> None:
    photo = load_photo(save(Image.fromarray(rgb), tmp_path / "a.png", icc_profile=profile))
    np.testing.assert_array_equal(photo.srgb, rgb)
    assert any("profile" in warning for warning in photo.warnings)


def test_srgb_profile_changes_nothing(rgb: np.ndarray, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = save(Image.fromarray(rgb), tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(load_photo(path).srgb, rgb)


# ---------------------------------------------------------------- EXIF


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as a camera stores them, from the EXIF table: which side the 0th row and the 0th column are."""
    return {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]


def tiff_16(pixels: np.ndarray, orientation: int) -> bytes:
    """An uncompressed 16-bit TIFF of (H, W, C), which Pillow cannot write for C = 3 (TIFF 6.0, section 2)."""
    height, width, channels = pixels.shape
    data = pixels.astype("<u2").tobytes()
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, channels, 16), (259, 3, 1, 1)]
    tags += [(262, 3, 1, 2 if channels == 3 else 1), (273, 4, 1, 16), (274, 3, 1, orientation)]
    tags += [(277, 3, 1, channels), (278, 3, 1, height), (279, 4, 1, len(data))]
    if channels > 2:
        tags[2] = (258, 3, channels, 8)  # the three depths lie in the eight bytes after the header
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    return struct.pack("<2sHI4H", b"II", 42, 16 + len(data), 16, 16, 16, 0) + data + directory


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(rgb: np.ndarray, tmp_path: Path, orientation: int, suffix: str) -> None:
    image = Image.fromarray(np.ascontiguousarray(stored(rgb, orientation)))
    tags = Image.Exif()
    tags[274] = orientation
    options: dict[str, object] = {"webp": {"lossless": True}, "jpg": {"quality": 98}}.get(suffix, {})
    photo = load_photo(save(image, tmp_path / f"a.{suffix}", exif=tags, **options))
    np.testing.assert_allclose(photo.srgb, rgb, atol=6 if suffix == "jpg" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
def test_orientation_of_a_16_bit_tiff(tmp_path: Path, orientation: int, channels: int) -> None:
    deep = np.arange(HEIGHT * WIDTH * channels, dtype=np.uint16).reshape(HEIGHT, WIDTH, channels)
    flipped = stored(deep, orientation)
    path = tmp_path / "a.tiff"
    path.write_bytes(tiff_16(flipped, orientation))
    np.testing.assert_array_equal(
        load_photo(path).srgb, np.broadcast_to(np.round(deep / 257), (HEIGHT, WIDTH, 3))
    )


def photo_with_exif(rgb: np.ndarray, path: Path, orientation: int = 1, **details: float) -> Path:
    names = {"focal_35mm": 41989, "focal": 37386, "resolution": 41486, "unit": 41488, "w": 40962, "h": 40963}
    tags = Image.Exif()
    tags[274] = orientation
    tags.get_ifd(34665).update({names[name]: value for name, value in details.items()})
    return save(Image.fromarray(rgb), path, exif=tags)


DIAGONAL = float(np.hypot(WIDTH, HEIGHT))


@pytest.mark.parametrize("orientation", [1, 6])
def test_focal_length_from_the_35mm_equivalent(rgb: np.ndarray, tmp_path: Path, orientation: int) -> None:
    photo = load_photo(photo_with_exif(rgb, tmp_path / "a.jpg", orientation, focal_35mm=50, focal=9.0))
    assert photo.focal_px == pytest.approx(50 / 43.267 * DIAGONAL, rel=1e-3)


@pytest.mark.parametrize(("unit", "millimetres"), [(2, 25.4), (3, 10.0), (4, 1.0)])
def test_focal_length_from_the_sensor(rgb: np.ndarray, tmp_path: Path, unit: int, millimetres: float) -> None:
    """A 22.5 mm wide sensor that took 4 times the pixels of this reduced photo."""
    path = photo_with_exif(
        rgb,
        tmp_path / "a.jpg",
        focal=45.0,
        resolution=4 * WIDTH / 22.5 * millimetres,
        unit=unit,
        w=4 * WIDTH,
        h=4 * HEIGHT,
    )
    assert load_photo(path).focal_px == pytest.approx(2 * WIDTH, rel=1e-3)


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"focal": 50.0},
        {"focal_35mm": 0},
        {"focal_35mm": 4},
        {"focal_35mm": 2000},
        {"focal": 50.0, "resolution": 0.0, "unit": 2},
        {"focal": 50.0, "resolution": 4000.0, "unit": 9},
        {"focal_35mm": 50, "w": 4000, "h": 3000},
    ],
    ids=["none", "no sensor", "zero", "too wide", "too long", "zero resolution", "no unit", "cropped"],
)
def test_no_focal_length_is_better_than_a_wrong_one(
    rgb: np.ndarray, tmp_path: Path, details: dict[str, float]
) -> None:
    assert load_photo(photo_with_exif(rgb, tmp_path / "a.jpg", **details)).focal_px is None


def test_focal_length_follows_the_reduction() -> None:
    tags = exif.ExifTags(focal_35mm=35)
    full = exif.focal_length_px(tags, (9000, 6000), (9000, 6000))
    half = exif.focal_length_px(tags, (9000, 6000), (4500, 3000))
    assert full is not None and half == pytest.approx(full / 2)


# ---------------------------------------------------------------- bad input


def test_missing_folder_empty(tmp_path: Path) -> None:
    with pytest.raises(PhotoNotFoundError, match="no file"):
        load_photo(tmp_path / "nothing.jpg")
    with pytest.raises(PhotoNotFoundError, match="folder"):
        load_photo(tmp_path)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(PhotoDamagedError, match="empty"):
        load_photo(tmp_path / "empty.jpg")


def test_unreadable(rgb: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(Image.fromarray(rgb), tmp_path / "a.png")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PhotoUnreadableError, match="Permission denied"):
        load_photo(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "bmp", "16.png", "16.tiff"])
def test_truncated(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), np.uint16)
    pixels = noise if suffix.startswith("16") else np.uint8(noise >> 8)
    whole = cv2.imencode("." + suffix.split(".")[-1], pixels)[1].tobytes()
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PhotoDamagedError, match="damaged"):
        load_photo(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "bmp"])
def test_random_damage_never_escapes_as_another_error(rgb: np.ndarray, tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(1)
    whole = np.frombuffer(save(Image.fromarray(rgb), tmp_path / f"a.{suffix}").read_bytes(), np.uint8)
    path = tmp_path / "b"
    for _ in range(60):
        broken = whole.copy()
        broken[rng.integers(0, min(len(whole), 400), 8)] = rng.integers(0, 256, 8)
        path.write_bytes(broken.tobytes())
        try:
            assert load_photo(path).srgb.ndim == 3
        except (PhotoDamagedError, PhotoFormatError, PhotoSizeError) as error:
            assert error.hint


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"GIF89a" + b"\0" * 90, "GIF"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 90, "HEIC"),
        (b"\0\0\0\x18ftypavif" + b"\0" * 90, "AVIF"),
        (b"%PDF-1.7" + b"\0" * 90, "PDF"),
        (b"hello, I am a text file", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoFormatError, match=words) as caught:
        load_photo(path)
    assert "JPEG" in caught.value.hint


def test_raw_and_float_files_are_refused(tmp_path: Path) -> None:
    image = Image.new("RGB", (WIDTH, HEIGHT))
    with pytest.raises(PhotoFormatError, match="raw"):
        load_photo(save(image, tmp_path / "a.dng", format="TIFF", tiffinfo={254: 1}))
    with pytest.raises(PhotoFormatError, match="16 bits"):
        load_photo(save(Image.new("F", (WIDTH, HEIGHT)), tmp_path / "a.tiff"))


def test_too_few_and_too_many_pixels(tmp_path: Path) -> None:
    with pytest.raises(PhotoSizeError, match="63"):
        load_photo(save(Image.new("RGB", (63, 200)), tmp_path / "a.png"))
    with pytest.raises(PhotoSizeError, match="million"):
        load_photo(save(Image.new("1", (20000, 20000)), tmp_path / "b.png"))


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semblance.core_models.photo.load.MAX_BYTES", 1000)
    (tmp_path / "film.jpg").write_bytes(b"\0" * 1001)
    with pytest.raises(PhotoSizeError, match="larger than"):
        load_photo(tmp_path / "film.jpg")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_long_photo_is_reduced(tmp_path: Path, suffix: str) -> None:
    ramp = np.uint8(np.linspace(0, 255, 10000))[None, :, None].repeat(100, 0).repeat(3, 2)
    photo = load_photo(save(Image.fromarray(ramp), tmp_path / f"a.{suffix}"))
    assert max(photo.srgb.shape) <= MAX_SIDE and photo.width / photo.height == pytest.approx(100, rel=0.02)
    np.testing.assert_allclose(photo.srgb[photo.height // 2, :, 1], np.linspace(0, 255, photo.width), atol=3)
    assert any("10000 × 100" in warning for warning in photo.warnings)


_PEAK_SCRIPT = """
import resource, sys
from semblance.core_models.photo.load import load_photo
photo = load_photo(sys.argv[1])
assert max(photo.srgb.shape) <= 8192
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
@pytest.mark.parametrize("kind", ["jpg", "progressive.jpg", "png", "16.png"])
def test_108_megapixels_fit_in_memory(tmp_path: Path, kind: str) -> None:
    depth = np.uint16 if kind.startswith("16") else np.uint8
    pixels = np.zeros((9000, 12000, 3), depth)
    pixels[::7, ::5] = np.iinfo(depth).max
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1] if kind.startswith("progressive") else []
    path = tmp_path / f"a.{kind}"
    assert cv2.imwrite(str(path), pixels, options)
    del pixels
    done = subprocess.run(
        [sys.executable, "-c", _PEAK_SCRIPT, path], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1.5e6


def test_the_module_imports_nothing_heavy() -> None:
    heavy = ("cv2", "PIL", "torch", "mediapipe")
    code = (
        f"import sys, semblance.core_models.photo; print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pillows_own_limit_is_left_as_it_was(rgb: np.ndarray, tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    load_photo(save(Image.fromarray(rgb), tmp_path / "a.png"))
    with pytest.raises(PhotoDamagedError):
        (tmp_path / "b.png").write_bytes(BytesIO((tmp_path / "a.png").read_bytes()).read(300))
        load_photo(tmp_path / "b.png")
    assert before == Image.MAX_IMAGE_PIXELS
