"""The scripts of the repository, as they are called."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from innersr.networks.priors import describe_prior, load_prior

SCRIPTS = Path(__file__).parents[1] / "scripts"
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def called(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, env=ENVIRONMENT, check=False)


@pytest.mark.skipif(shutil.which("bash") is None, reason="a bash script")
def test_the_gpu_script_trains_every_prior_in_miniature(tmp_path):
    result = called("bash", SCRIPTS / "train_on_gpu.sh", tmp_path, "--miniature")
    assert (result.returncode, result.stderr) == (0, "")
    real, published, sub_pixel = (
        tmp_path / f"{name}.safetensors" for name in ("real", "mzsr-direct-x2", "mzsr-direct-x2-lr")
    )
    assert load_prior(real).knows_compression
    assert (load_prior(published).sees_lr, load_prior(sub_pixel).sees_lr) == (False, True)
    for prior in (real, published, sub_pixel):
        provenance = describe_prior(prior).header["provenance"]
        assert (provenance["step"], provenance["settings"]["schedule"]) == (2, "cooldown")
    unknown = called("bash", SCRIPTS / "train_on_gpu.sh", tmp_path, "--tiny")
    assert (unknown.returncode, unknown.stderr) == (2, "unknown option --tiny; there is --miniature\n")
