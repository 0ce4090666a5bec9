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


def drop(page, *paths):
    page.locator("input[type=file]:visible, .upload-container:visible input[type=file]").first.set_input_files(
        [str(path) for path in paths]
    )


def go_to(page, name):
    if name in ("Train", "Paint", "Edit", "Animate"):
        page.get_by_role("tab", name="One picture").click()
    page.get_by_role("tab", name=name, exact=True).click()


def says(page, tab, words):
    page.locator(f"#{tab}-status").get_by_text(words).wait_for(timeout=120_000)  # of busy machines
