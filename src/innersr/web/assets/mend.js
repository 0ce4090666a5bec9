// Mends what Gradio's components tell screen readers, and what they do not let the keyboard do.
function labelOf(one) {
    return one.closest(".block")?.querySelector("[data-testid='block-label']")?.textContent.trim() ?? "";
}

function mend() {
    for (const one of document.querySelectorAll(".layer-title-button[aria-label]")) one.removeAttribute("aria-label");
    for (const one of document.querySelectorAll("button.upload-container")) name(one, `${labelOf(one)}: ${one.textContent}`);
    for (const one of document.querySelectorAll(".cm-scroller")) {
        one.tabIndex = 0; // to scroll by keys
        one.setAttribute("role", "group");
        name(one, labelOf(one));
    }
    for (const one of document.querySelectorAll("button.reset-button")) {
        const number = one.parentElement.querySelector("input[aria-label]")?.ariaLabel ?? "";
        name(one, `Reset to default value: ${number.replace("number input for ", "")}`);
    }
    for (const one of document.querySelectorAll("a.download-link button")) one.tabIndex = -1; // the link is reached
    for (const one of document.querySelectorAll("[data-testid='slider']:not([tabindex])")) makeSlider(one);
    for (const one of document.querySelectorAll("button.thumbnail-item[aria-label]")) {
        if (one.textContent.trim()) one.removeAttribute("aria-label");
        for (const image of one.querySelectorAll("img")) if (one.textContent.trim()) image.alt = "";
    }
    for (const one of document.querySelectorAll(".button-icon:not([alt=''])")) one.alt = ""; // beside its name
    for (const one of document.querySelectorAll(".toast-header[role]")) { // its text is open, and it holds a button
        one.removeAttribute("role");
        one.removeAttribute("tabindex");
    }
    for (const one of document.querySelectorAll("div.empty[aria-label]:not([role])")) one.setAttribute("role", "img");
}

function name(one, label) {
    label = label.replace(/\s+/g, " ").trim();
    if (one.ariaLabel !== label) one.ariaLabel = label; // or the observer would never rest
}

// Lets the keyboard move the line between two pictures, by what the mouse would do.
function makeSlider(one) {
    const area = () => { // of the picture, in the middle of its box
        const image = one.parentElement.querySelector("img"), box = image.parentElement.getBoundingClientRect();
        const width = Math.min(box.width, (box.height * image.naturalWidth) / image.naturalHeight);
        return { left: box.left + (box.width - width) / 2, top: box.top, width };
    };
    const tell = () => {
        const { left, width } = area(), line = one.getBoundingClientRect();
        one.ariaValueNow = Math.round((100 * (line.left + line.width / 2 - left)) / width);
    };
    const bounds = { ariaValueMin: 0, ariaValueMax: 100, ariaValueNow: 50 };
    Object.assign(one, { tabIndex: 0, role: "slider", ariaLabel: labelOf(one), ...bounds });
    one.addEventListener("focus", tell);
    one.addEventListener("keydown", (event) => {
        const steps = { ArrowLeft: -5, ArrowRight: 5, Home: -100, End: 100 };
        if (!(event.key in steps)) return;
        event.preventDefault();
        const { left, top, width } = area();
        const percent = Math.min(100, Math.max(0, Number(one.ariaValueNow) + steps[event.key]));
        const at = { view: window, bubbles: true, clientX: left + (percent / 100) * width, clientY: top };
        for (const kind of ["mousedown", "mouseup"]) one.dispatchEvent(new MouseEvent(kind, at));
        setTimeout(tell, 50); // when it is drawn
    });
}

new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
