"""A palette keeps the colours that it must have."""

import pytest
from PIL import Image

from llx_mcp.pdf.page_images import reduce_colors


@pytest.mark.parametrize("num_colors", [24, 64, 256])
@pytest.mark.parametrize("color", [(255, 255, 255), (29, 78, 216)])
def test_small_place_keeps_its_colour(num_colors: int, color: tuple[int, int, int]) -> None:
    image = Image.linear_gradient("L").point([level // 2 for level in range(256)]).convert("RGB")
    image.paste(color, (100, 100, 103, 102))
    reduced = reduce_colors(image, num_colors, ("white", "#1d4ed8"))
    assert reduced.mode == "P"
    shown = reduced.convert("RGB").getpixel((101, 101))
    assert isinstance(shown, tuple)
    assert all(abs(first - second) <= 8 for first, second in zip(shown, color, strict=True))
