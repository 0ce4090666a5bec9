"""What `innersr train` does, once its arguments are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from innersr.commands.console import Reporter, memory_advice
from innersr.commands.interrupts import EXIT_CODE, deferred_interrupts
from innersr.errors import InputError
from innersr.networks.priors import load_prior
from innersr.networks.tailored_stack import TailoredStack, insert_identity_layers
from innersr.run import Run
from innersr.training.crops import read_pool
from innersr.training.distributed import ProcessGroup, device_of_environment, process_group_of_environment
from innersr.training.learner import TrainingSchedule
from innersr.training.objective import Objective
from innersr.training.objectives.tailor import TailorObjective
from innersr.training.registry import make_objective
from innersr.training.session import Outputs, Session
from innersr.training.validation import read_validation


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """Everything that `innersr train` was told."""

    objective: str
    data: tuple[Path, ...]
    extra: tuple[Path, ...]
    validate: Path | None
    outputs: Outputs
    settings: Mapping[str, str]
    """Of the objective and its schedule, as text."""
    threads: int | None
    licence: str | None
    initial: str | None
    resume: bool
    overwrite: bool
    run: Run


def train_prior(request: TrainRequest, reporter: Reporter) -> int:
    """Train a prior; return the exit code, that of an interrupt if there is more to learn.

    Raises:
        InputError: the request is wrong, and nothing was started.
        ImageFileError: an image cannot be read.
        CheckpointError: a file of weights cannot be read or written.
        InnersrError: memory has run out, or the loss is no longer a number.
    """
    objective, schedule = make_objective(request.objective, request.settings)
    group = process_group_of_environment()
    if group.leads:
        _check_outputs(request)
    else:
        reporter = Reporter(quiet=True, verbose=False, as_json=False)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    advice = "use a smaller --batch, smaller crops, or a machine with more"
    with memory_advice(None, advice), reporter.progress("train") as report:
        run = replace(request.run, device=device_of_environment(request.run.device), report=report)
        session = _session(request, objective, schedule, run, group)
        _say_material(session, reporter)
        with deferred_interrupts() as should_stop:
            outcome = session.learn(resume=request.resume, should_stop=should_stop)
    if not outcome.is_finished:
        reporter.note(
            f"stopped after step {outcome.step} of {schedule.steps}; the same command with --resume goes on from there"
        )
        return EXIT_CODE
    if group.leads:
        figures = ", ".join(
            f"{name} {value:.2f} {objective.unit}".rstrip() for name, value in outcome.validation.items()
        )
        record = {"output": str(request.outputs.prior), "steps": outcome.step, "validation": outcome.validation}
        reporter.result(f"{request.outputs.prior}  {outcome.step} steps  {figures}".rstrip(), record)
    return 0


def _check_outputs(request: TrainRequest) -> None:
    outputs = request.outputs
    if request.resume and request.overwrite:
        raise InputError("give --resume or --overwrite, not both")
    there = [path for path in (outputs.prior, outputs.state) if path.exists()]
    if there and not (request.resume or request.overwrite):
        raise InputError(f"{there[0]}: exists; --resume goes on with it, --overwrite begins anew")
    if request.overwrite:
        outputs.state.unlink(missing_ok=True)  # or a training that ends early would be resumed from another one's


def _session(
    request: TrainRequest, objective: Objective[Any], schedule: TrainingSchedule, run: Run, group: ProcessGroup
) -> Session:
    """Read the images and weights that were named, and return the training."""
    validation = () if request.validate is None else read_validation(request.validate)
    initial = None if request.initial is None else _initial_weights(request.initial, objective)
    return Session(
        objective=objective,
        schedule=schedule,
        pool=read_pool(request.data, request.extra, objective.side, run),
        outputs=request.outputs,
        run=run,
        group=group,
        validation=validation,
        initial=initial,
        # The name alone, as of folders: a prior that is passed on tells nothing of this machine.
        provenance={"licence": request.licence, "initial": request.initial and Path(request.initial).name},
    )


def _initial_weights(prior: str, objective: Objective[Any]) -> Mapping[str, Tensor]:
    """Return the weights of a prior; a tailored network that is to be deeper gets layers that change nothing."""
    network = load_prior(prior)
    if (
        isinstance(network, TailoredStack)
        and isinstance(objective, TailorObjective)
        and network.depth < objective.depth
    ):
        network = insert_identity_layers(network, objective.depth, torch.Generator().manual_seed(objective.seed))
    return network.state_dict()


def _say_material(session: Session, reporter: Reporter) -> None:
    pool, side = session.pool, session.objective.side
    files = sum(source.files for source in pool.sources)
    if pool.too_small:
        reporter.note(f"{pool.too_small} of {files} images are too small for crops of {side} pixels and left out")
    versions = len(pool.images) + len(pool.extra)
    reporter.verbose(f"{files - pool.too_small} images, {versions} with their smaller versions")
    reporter.verbose(f"{session.settings} on {session.run.torch_device}")
