// Zooms and moves the pictures of an .isr-view together. Listens on the component, whose content is replaced later.
const place = new WeakMap(); // from a view to its zoom and the point in its middle, as shares of the picture

function stateOf(view) {
    if (!place.has(view)) place.set(view, { zoom: 1, x: 0.5, y: 0.5 });
    return place.get(view);
}

function draw(view) {
    const state = stateOf(view), half = 0.5 / state.zoom;
    state.x = Math.min(1 - half, Math.max(half, state.x));
    state.y = Math.min(1 - half, Math.max(half, state.y));
    for (const image of view.querySelectorAll("img")) {
        const left = 100 * (half - state.x), top = 100 * (half - state.y);
        image.style.transform = `scale(${state.zoom}) translate(${left}%, ${top}%)`;
    }
    const slider = view.querySelector(".isr-zoom");
    slider.value = state.zoom;
    const words = state.zoom === 1 ? "fit" : `${state.zoom.toFixed(1)}×`;
    slider.setAttribute("aria-valuetext", words);
    view.querySelector("output").textContent = words;
}

function zoomTo(view, zoom) {
    stateOf(view).zoom = Math.min(16, Math.max(1, zoom));
    draw(view);
}

function move(view, x, y) {
    const state = stateOf(view);
    state.x += x / state.zoom;
    state.y += y / state.zoom;
    draw(view);
}

element.addEventListener("input", (event) => {
    const view = event.target.closest(".isr-view");
    if (view && event.target.matches(".isr-zoom")) zoomTo(view, Number(event.target.value));
});

element.addEventListener("wheel", (event) => {
    const view = event.target.closest(".isr-view");
    if (!view || !event.target.closest(".isr-pane") || !event.ctrlKey) return; // a plain wheel scrolls the page
    event.preventDefault();
    zoomTo(view, stateOf(view).zoom * (event.deltaY < 0 ? 1.2 : 1 / 1.2));
}, { passive: false });

element.addEventListener("dblclick", (event) => {
    const view = event.target.closest(".isr-view"), pane = event.target.closest(".isr-pane");
    if (!view || !pane) return;
    const box = pane.getBoundingClientRect(), state = stateOf(view);
    if (state.zoom > 1) return zoomTo(view, 1);
    state.x = (event.clientX - box.left) / box.width;
    state.y = (event.clientY - box.top) / box.height;
    zoomTo(view, 4);
});

element.addEventListener("keydown", (event) => {
    const view = event.target.closest(".isr-view");
    if (!view || !event.target.matches(".isr-pane")) return;
    const steps = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (steps[event.key]) move(view, ...steps[event.key]);
    else if (event.key === "+") zoomTo(view, stateOf(view).zoom * 1.5);
    else if (event.key === "-") zoomTo(view, stateOf(view).zoom / 1.5);
    else return;
    event.preventDefault();
});

let held = null;
element.addEventListener("pointerdown", (event) => {
    const pane = event.target.closest(".isr-pane");
    if (!pane) return;
    held = { view: pane.closest(".isr-view"), pane, x: event.clientX, y: event.clientY };
    pane.setPointerCapture(event.pointerId);
});
element.addEventListener("pointermove", (event) => {
    if (!held) return;
    const box = held.pane.getBoundingClientRect();
    move(held.view, (held.x - event.clientX) / box.width, (held.y - event.clientY) / box.height);
    held.x = event.clientX;
    held.y = event.clientY;
});
for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => { held = null; });
