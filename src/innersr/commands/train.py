"""Work of `innersr train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from innersr.commands.console import Reporter, memory_advice
from innersr.commands.interrupts import deferred_interrupts
from innersr.errors import FileError, InputError
from innersr.networks.priors import load_prior
from innersr.networks.tailored_stack import TailoredStack
from innersr.paths import check_apart
from innersr.run import Run
from innersr.settings import parse_settings
from innersr.training.crops import read_pool
from innersr.training.distributed import device_of_environment, process_group_of_environment
from innersr.training.drawn_pictures import with_drawn_pictures
from innersr.training.objective import Objective
from innersr.training.objectives.tailor import TailorObjective
from innersr.training.registry import make_objective
from innersr.training.session import Outputs, Session
from innersr.training.validation import read_validation


def train_prior(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    objective: str,
    data: Sequence[Path],
    extra: Sequence[Path] | None,
    extra_share: float,
    drawn: int,
    validate: Path | None,
    out: Path,
    checkpoint_every: int,
    validate_every: int,
    settings: Sequence[str] | None,
    licence: str | None,
    initial: str | None,
    threads: int | None,
    resume: bool,
    may_change: bool,
    overwrite: bool,
    **counts: int | None,
) -> int:
    """Train a prior; return the exit code, that of an interrupt if steps are left.

    Args:
        counts: steps and batch, None for their defaults.
    """
    given = {name: str(value) for name, value in (counts | {"seed": run.seed}).items() if value is not None}
    chosen, schedule = make_objective(objective, given | parse_settings(settings or ()))
    outputs = Outputs(prior=out, save_every=checkpoint_every, validate_every=validate_every)
    group = process_group_of_environment()
    if group.leads:
        if initial is not None:
            check_apart(out, [Path(initial)])
        _check_outputs(outputs, resume=resume, overwrite=overwrite)
    else:
        reporter = Reporter(quiet=True, verbose=False, as_json=False)
    if threads is not None:
        torch.set_num_threads(threads)
    advice = "use a smaller --batch, smaller crops, or a machine with more"
    with memory_advice(None, advice), reporter.progress("train") as report:
        run = replace(run, device=device_of_environment(run.device), report=report)
        pool = read_pool(tuple(data), tuple(extra or ()), chosen.side, run)._replace(extra_share=extra_share)
        session = Session(
            objective=chosen,
            schedule=schedule,
            pool=with_drawn_pictures(pool, drawn, chosen.seed, chosen.side),
            outputs=outputs,
            run=run,
            group=group,
            validation=() if validate is None else read_validation(validate),
            initial=None if initial is None else _initial_weights(initial, chosen),
            # The name alone: a prior that is passed on reveals no folder of this machine.
            provenance={"licence": licence, "initial": initial and Path(initial).name},
            may_change=may_change,
            note=reporter.note,
        )
        _report_material(session, reporter)
        with deferred_interrupts() as should_stop:
            outcome = session.learn(resume=resume, should_stop=should_stop)
    if not outcome.is_finished:
        reporter.note(
            f"stopped after step {outcome.step} of {schedule.steps}; the same command with --resume continues it"
        )
        return should_stop.exit_code
    if group.leads:
        figures = ", ".join(f"{name} {value:.2f} {chosen.unit}".rstrip() for name, value in outcome.validation.items())
        record = {"output": str(out), "steps": outcome.step, "validation": outcome.validation}
        reporter.result(f"{out}  {outcome.step} steps  {figures}".rstrip(), record)
    return 0


def _check_outputs(outputs: Outputs, *, resume: bool, overwrite: bool) -> None:
    if resume and overwrite:
        raise InputError("give --resume or --overwrite, not both")
    there = [path for path in (outputs.prior, outputs.state) if path.exists()]
    if there and not (resume or overwrite):
        raise FileError(f"{there[0]}: exists; --resume continues it, --overwrite starts anew")
    if overwrite:
        outputs.state.unlink(missing_ok=True)  # or a training that ends early would be resumed from another one's


def _initial_weights(prior: str, objective: Objective[Any]) -> Mapping[str, Tensor]:
    """Weights of a prior; a smaller tailored network is enlarged."""
    network = load_prior(prior)
    if isinstance(network, TailoredStack) and isinstance(objective, TailorObjective):
        network = objective.network_from(network)
    return network.state_dict()


def _report_material(session: Session, reporter: Reporter) -> None:
    pool, side = session.pool, session.objective.side
    files = sum(source.files for source in pool.sources)
    if pool.too_small:
        reporter.note(f"{pool.too_small} of {files} images are too small for crops of {side} pixels and left out")
    versions = len(pool.images) + len(pool.extra)
    reporter.verbose(f"{files - pool.too_small} images, {versions} with their smaller versions")
    reporter.verbose(f"{session.settings} on {session.run.torch_device}")
