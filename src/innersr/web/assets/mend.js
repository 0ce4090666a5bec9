// Mends what Gradio's components tell screen readers: names that hide the words that are seen, names where none may be.
function mend() {
    for (const one of document.querySelectorAll(".upload-container[aria-label], .layer-title-button[aria-label]")) {
        one.removeAttribute("aria-label"); // its text is its name
    }
    for (const one of document.querySelectorAll("button.thumbnail-item[aria-label]")) {
        if (one.textContent.trim()) one.removeAttribute("aria-label");
        for (const image of one.querySelectorAll("img")) if (one.textContent.trim()) image.alt = "";
    }
    for (const one of document.querySelectorAll(".button-icon:not([alt=''])")) one.alt = ""; // beside its name
    for (const one of document.querySelectorAll(".toast-header[role]")) { // its text is open, and it holds a button
        one.removeAttribute("role");
        one.removeAttribute("tabindex");
    }
    for (const one of document.querySelectorAll(".cm-scroller[tabindex='-1']")) one.tabIndex = 0; // to scroll by keys
    for (const one of document.querySelectorAll("div.empty[aria-label]:not([role])")) one.setAttribute("role", "img");
}
new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
