"""The page: its tabs, its looks, and the server."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from innersr.errors import InputError
from innersr.images.io import read
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.tasks import ImageTask
from innersr.run import Run
from innersr.web.arguments import CheckedBlocks
from innersr.web.batch import build_batch
from innersr.web.compare import build_compare
from innersr.web.enlarge import build_enlarge
from innersr.web.hosts import OF_THIS_MACHINE, OwnHosts
from innersr.web.html import asset
from innersr.web.limits import Limits
from innersr.web.one_picture.tab import build_one_picture
from innersr.web.pace import planned_time
from innersr.web.place import Place, name_of_visitor
from innersr.web.visitors import OwnFiles, Visitors, bundled_examples


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Where the page is served, and to whom.

    Args:
        host: address that it listens at; other than this machine's own it needs `auth` or `allow_public`.
        port: that it listens at; 0 for any free one.
        auth: (user, password) that visitors log in with.
        allow_public: whether other machines may use the page without a password.
        names: under which the page is reached too, such as that of a server in front; see `OwnHosts`.
        browser: whether a browser is opened.
        device: of the computations.
        is_warmed: whether the page is up only when all is loaded that a job needs, and the machine is measured.
        library: folder of trained pictures, which is kept and which all visitors share; None to remove them with
            the visitor.

    Raises:
        InputError: the page would be public without a password, or the port is none.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    auth: tuple[str, str] | None = None
    allow_public: bool = False
    names: tuple[str, ...] = ()
    browser: bool = True
    device: str = "auto"
    is_warmed: bool = True
    library: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port < 2**16:
            raise InputError(f"port must be from 0 to 65535, got {self.port}")
        if self.host not in OF_THIS_MACHINE and self.auth is None and not self.allow_public:
            raise InputError(
                f"at {self.host} everybody in the network could use this page; give --auth USER:PASSWORD, or "
                "--allow-public if that is meant"
            )


@contextlib.contextmanager
def served(serving: Serving) -> Iterator[str]:
    """Serve the page while the block runs; yield its address. All files of visitors are removed at the end.

    Raises:
        InputError: the port is taken, or the address is none of this machine.
    """
    _check_address(serving.host)
    with tempfile.TemporaryDirectory(prefix="innersr-web-") as name, _environment(serving.host):
        visitors = Visitors(Path(name), 60 * serving.limits.idle_minutes)
        os.environ["GRADIO_TEMP_DIR"] = str(visitors.uploads)
        place = Place(limits=serving.limits, visitors=visitors, device=serving.device, library=serving.library)
        gr.set_static_paths([visitors.results, bundled_examples()])  # before the page, or its icons are copied
        page = build_page(place)
        try:
            _, address, _ = page.launch(
                server_name=serving.host,
                server_port=serving.port or _free_port(serving.host),
                auth=serving.auth,
                auth_message="This page asks for a password.",
                inbrowser=serving.browser,
                max_file_size=serving.limits.megabytes * 2**20,
                prevent_thread_lock=True,
                quiet=True,
                share=False,
                ssr_mode=False,
                enable_monitoring=False,
                _frontend=False,  # else the first page is fetched, and a machine that takes 3 seconds for it is refused
                footer_links=["api"],
                app_kwargs={
                    "middleware": [
                        Middleware(OwnHosts, host=serving.host, names=serving.names),
                        Middleware(OwnFiles, visitors=visitors),
                    ]
                },
                theme=_theme(),
                # Gradio would put its own selectors in front of those of `css`, also where they begin outside.
                head=f"<style>{asset('page.css')}</style><script>{asset('mend.js')}</script>",
            )
        except OSError as error:
            raise InputError(f"port {serving.port} is taken; choose another one with --port") from error
        try:
            if serving.is_warmed:
                warm_up(place)
            yield address
        finally:
            page.close(verbose=False)
            visitors.close_all()


def build_page(place: Place) -> gr.Blocks:
    """The page with all its tabs."""
    with CheckedBlocks(title="innersr", analytics_enabled=False, delete_cache=(600, 3600 * 24)) as page:
        gr.Markdown(
            "# innersr\nEnlarges a picture by what the picture itself can teach. Everything happens on this machine."
        )
        with gr.Tab("Enlarge", id="enlarge"):
            build_enlarge(place)
        with gr.Tab("One picture", id="one"):
            build_one_picture(place)
        with gr.Tab("Compare", id="compare"):
            build_compare(place)
        with gr.Tab("Batch", id="batch"):
            build_batch(place)

        def leave(request: gr.Request) -> None:
            place.visitors.close(*name_of_visitor(request))

        page.unload(leave)
    page.queue(max_size=place.limits.waiting, default_concurrency_limit=8)
    place.pace.jobs, place.pace.waiting = place.limits.jobs, lambda: page._queue.get_status().queue_size
    return page


def warm_up(place: Place) -> None:
    """Load what the first job would wait for, and find out how fast this machine is: two seconds of one core."""
    image = read(bundled_examples() / "bricks.png")
    for side, steps in ((32, 1), (48, 8)):  # the first one loads
        part = replace(image, colour=image.colour[..., :side, :side].contiguous())
        task = ImageTask(image=part, options=UpscaleOptions(settings={"steps": steps}))
        place.pace.measure(planned_time(task), functools.partial(task.upscale, Run(device=place.device)))


def _theme() -> gr.themes.Base:
    """Fonts of the system only, so that nothing is fetched; contrasts of 4.5 and more in both modes."""
    theme = gr.themes.Soft(
        primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    dim = {"body_background_fill": "*neutral_50", "block_border_width": "1px", "input_border_width": "1px"}
    dim |= {"block_border_color": "*neutral_200", "block_border_color_dark": "*neutral_700"}
    dim |= {"input_border_color": "*neutral_300", "input_border_color_dark": "*neutral_600"}
    dim |= {"checkbox_border_color": "*neutral_500", "checkbox_border_color_dark": "*neutral_400"}
    dim |= {"body_text_color_subdued": "*neutral_600", "body_text_color_subdued_dark": "*neutral_300"}
    dim |= {"input_placeholder_color": "*neutral_600", "input_placeholder_color_dark": "*neutral_300"}
    dim |= {f"link_text_color{state}_dark": "*primary_300" for state in ("", "_hover", "_active", "_visited")}
    for part in ("block_label", "block_title"):
        dim |= {f"{part}_text_color": "*neutral_800", f"{part}_text_color_dark": "*neutral_100"}
        dim |= {f"{part}_background_fill": "*neutral_100", f"{part}_background_fill_dark": "*neutral_800"}
    for mode in ("", "_dark"):
        dim |= {f"button_primary_background_fill{mode}": "*primary_700", f"button_primary_text_color{mode}": "white"}
        dim |= {f"button_primary_background_fill_hover{mode}": "*primary_800"}
        dim |= {f"checkbox_label_background_fill_selected{mode}": "*primary_700"}
        dim |= {f"checkbox_label_text_color_selected{mode}": "white"}
    dim |= {"button_secondary_background_fill_hover_dark": "*neutral_700"}  # was too pale for its white text
    return theme.set(**dim)


@contextlib.contextmanager
def _environment(host: str) -> Iterator[None]:
    """Gradio's settings for a page that sends nothing to anybody; given back afterwards.

    Gradio asks the page that it starts whether it is up, which no proxy of the network could tell.
    """
    wanted = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": ""}
    direct = ",".join(filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "localhost", host]))
    wanted |= {"no_proxy": direct, "NO_PROXY": direct}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _check_address(host: str) -> None:
    try:
        _free_port(host)
    except OSError as error:
        raise InputError(
            f"{host} is no address of this machine; give --host one, such as 127.0.0.1, or 0.0.0.0 for all of them"
        ) from error


def _free_port(host: str) -> int:
    """A port of an address of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        return server.getsockname()[1]
