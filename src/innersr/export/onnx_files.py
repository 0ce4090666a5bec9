"""Networks as ONNX files, compared in onnxruntime with what innersr itself computes."""

from __future__ import annotations

import contextlib
import importlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from innersr.atomic import whole_file
from innersr.errors import InnersrError, InputError, cannot_write, exists_already, how_to_install
from innersr.export.graphs import ConditionedGraph, GraphModule, graph_of
from innersr.methods.mixture import Stabilised, learnt_networks
from innersr.methods.upscalers.detail import DetailUpscaler
from innersr.methods.upscalers.tailored import TailoredUpscaler
from innersr.networks.checkpoints import outline_of
from innersr.networks.detail_stack import DetailStack
from innersr.networks.priors import load_prior
from innersr.networks.tailored_stack import TailoredStack
from innersr.paths import check_apart
from innersr.physics.degradation import Degradation
from innersr.pipeline.adapted_files import load_adaptation
from innersr.run import Run
from innersr.version import __version__


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """An ONNX file and what its users need to know.

    Its input is `lr`, (N, C, h, w) float32 in [0, 1] of any size, its output `sr`, (N, C, scale * h, scale * w) in
    [0, 1]. The file's own metadata say the same.
    """

    path: Path
    inputs: tuple[str, ...]
    scale: int
    channels: int
    halo: int
    """LR pixels around a tile that its HR pixels depend on: with that many more, tiles leave no seams."""
    difference: float
    """Greatest difference between onnxruntime and PyTorch that was found."""


def export_onnx(
    prior: str | Path,
    output: str | Path,
    degradation: Degradation | None = None,
    *,
    grey: bool = False,
    any_degradation: bool = False,
    overwrite: bool = False,
) -> OnnxFile:
    """Write a network, with all that surrounds it, as an ONNX file, and compare the two at two sizes.

    Args:
        prior: a packaged one by name, or the path of a file; also one of `save_adapted`, what a method learnt on an
            image, which has its own degradation.
        output: the file to write; its name ends in .onnx.
        degradation: that the network undoes, of a whole scale; MATLAB's bicubic by 2 when None, or the file's own.
        grey: for images of one channel; else for as many as the network has.
        any_degradation: for Tailor's priors only: the file takes the degradation's `graphs.conditioning_inputs`
            beside each image, and of `degradation` uses the scale alone.
        overwrite: whether an existing file is replaced.

    Raises:
        InputError: the packages of the extra `onnx` are missing, there is no such prior, it makes no image, or not at
            this scale; or the file exists.
        CheckpointError: the prior cannot be read.
        InnersrError: the file cannot be written, or onnxruntime computes something else.
    """
    for package in ("onnx", "onnxscript"):
        _library(package)  # raises where it is missing
    output = Path(output)
    if output.suffix.lower() != ".onnx":
        raise InputError(f"{output}: the name of an ONNX file ends in .onnx")
    check_apart(output, [Path(prior)])
    if output.exists() and not overwrite:
        raise InputError(exists_already(output))
    if is_adapted(prior):
        if degradation is not None or any_degradation:
            raise InputError(f"{prior}: was learnt for a degradation of its own; leave scale and degradation out")
        network, degradation = _learnt(prior)
    else:
        network, degradation = load_prior(prior), degradation or Degradation(scale=2)
        if isinstance(network, DetailStack) and (degradation.noise > 0 or degradation.compression > 0):
            raise InputError("a DetailStack knows neither noise nor compression; leave them out")
    graph = _conditioned(network, degradation, grey) if any_degradation else graph_of(network, degradation, grey=grey)
    known = "any" if any_degradation else str(degradation)
    return write_onnx(graph, output, {"prior": str(prior), "degradation": known}, overwrite=overwrite)


def write_onnx(graph: GraphModule, path: Path, about: Mapping[str, str], *, overwrite: bool = False) -> OnnxFile:
    """Write a graph as an ONNX file with metadata about it; errors are those of `export_onnx`."""
    generator = torch.Generator().manual_seed(0)
    trials = [graph.sample_inputs(size, generator) for size in ((24, 20), (33, 47))]
    figures = {"scale": graph.scale, "channels": graph.channels, "halo": graph.halo}
    with torch.inference_mode(False), torch.no_grad():  # the exporter cannot follow `isolation`
        model = _converted(graph, trials[0])
        for key, value in {**about, **figures, "version": __version__}.items():
            entry = model.metadata_props.add()
            entry.key, entry.value = f"innersr.{key}", str(value)
        data = model.SerializeToString()
        difference = max(_difference(graph, data, trial) for trial in trials)
    if not difference <= 1e-4:  # half a step of 12-bit values
        raise InnersrError(
            f"{path}: onnxruntime differs from PyTorch by {difference:.1e}; update onnxruntime and torch"
        )
    try:
        with whole_file(path, overwrite=overwrite) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise InnersrError(cannot_write(path, error.strerror)) from error
    return OnnxFile(path=path, inputs=tuple(trials[0]), difference=difference, **figures)


def is_adapted(source: str | Path) -> bool:
    """Whether this is a file of `save_adapted`, not a prior."""
    path = Path(source)
    return path.suffix == ".safetensors" and path.is_file() and outline_of(path).header["kind"] == "adapted"


def _learnt(path: str | Path) -> tuple[nn.Module, Degradation]:
    """The network that a method learnt on an image, and the degradation that it undoes."""
    upscaler = load_adaptation(path, Run(device="cpu")).upscaler
    if not any(learnt_networks(upscaler)):
        raise InputError(f"{path}: holds no network; learn with tailor, zssr, mzsr or supervised")
    if isinstance(upscaler, Stabilised):
        remedy = "learn with one standard deviation (--noise 5), for which there is a graph"
        raise InputError(f"{path}: was learnt under counting noise; {remedy}")
    if not isinstance(upscaler, TailoredUpscaler | DetailUpscaler) or len(upscaler.networks) != 1:
        remedy = "learn with a --kernel that is given, for which there is one"
        raise InputError(f"{path}: holds several networks, whose results are mixed; {remedy}")
    given = upscaler.whole if isinstance(upscaler, TailoredUpscaler) else upscaler.degradation
    return upscaler.networks[0], given


def _conditioned(network: nn.Module, degradation: Degradation, grey: bool) -> ConditionedGraph:
    if not isinstance(network, TailoredStack):
        raise InputError(f"a {type(network).__name__} knows no degradation but its own; leave any_degradation out")
    if grey:
        raise InputError("for any degradation the network sees all its channels; repeat a grey image in each of them")
    scale = degradation.scales[0]
    return ConditionedGraph(network, round(scale) if degradation.scales == (round(scale),) * 2 else 0).eval()


def _converted(graph: GraphModule, trial: Mapping[str, Tensor]) -> Any:  # noqa: ANN401 (an ONNX model has no types)
    """Convert a graph whose images may have any number and size."""
    free = {0: torch.export.Dim("count"), 2: torch.export.Dim("height"), 3: torch.export.Dim("width")}
    shapes = {name: free if name == "lr" else None for name in trial}
    with _silence():
        program = torch.onnx.export(
            graph,
            kwargs=dict(trial),
            dynamo=True,
            verbose=False,
            dynamic_shapes=shapes,
            input_names=[*trial],
            output_names=["sr"],
        )
    assert program is not None
    return program.model_proto


def _difference(graph: GraphModule, data: bytes, trial: Mapping[str, Tensor]) -> float:
    """Greatest difference between onnxruntime and PyTorch on the CPU."""
    session = _library("onnxruntime").InferenceSession(data, providers=["CPUExecutionProvider"])
    (made,) = session.run(["sr"], {name: tensor.numpy() for name, tensor in trial.items()})
    return float((torch.from_numpy(made) - graph(**trial)).abs().max())


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Context in which the exporter says nothing of packages that it misses, nor of what it will change."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _library(name: str) -> Any:  # noqa: ANN401 (a module that may be missing)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"ONNX files need {name}: {how_to_install('onnx')}") from error
