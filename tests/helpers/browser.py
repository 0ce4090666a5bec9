"""What a hand does on the page."""


def paint(page, area):
    """Draw a stroke with the mouse through the middle of the canvas that is shown there."""
    canvas = page.locator(f"{area} canvas:visible").first
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)  # until the brush is at hand
    box = canvas.bounding_box()
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(across - 30, down - 20)
    page.mouse.down()
    page.mouse.move(across + 20, down + 20, steps=12)
    page.mouse.up()
    page.wait_for_timeout(500)  # until the stroke is a part of the layer
