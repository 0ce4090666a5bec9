#!/usr/bin/env bash
# Train priors on a GPU: Tailor's for real images, then MZSR's at HR resolution, as published, and in LR space.
#
#     scripts/train_on_gpu.sh OUT                # folders of images by the variables below
#     scripts/train_on_gpu.sh OUT --miniature    # two steps of each on the bundled picture, on the CPU, in seconds
#
# The same command resumes what was interrupted. Variables, lists separated by colons:
#     PHOTOS       folders of sharp photographs
#     GRAPHICS     folders of other sharp images; may be empty
#     VALIDATION   folder of sharp images to measure on; may be empty
#     REAL_STEPS, MZSR_STEPS    steps; they may change on resuming, the rates fall over the last 30 %
#     MINUTES      after which each training is interrupted; needs GNU timeout
#     DEVICE       auto, cuda, cuda:1, mps or cpu
set -euo pipefail

out=${1:?give the folder of the results}
mode=${2:-}
photos=${PHOTOS:-shared/data/train-cc0:shared/data/train-cc0-2:shared/data/train-cc0-2/small}
graphics=${GRAPHICS-shared/data/train-cc0/graphics}
validation=${VALIDATION-shared/data/test/kodak24}
device=${DEVICE:-auto}
real=(--batch 8 --set small_crop=36 --steps "${REAL_STEPS:-60000}" --drawn 80)
mzsr=(--steps "${MZSR_STEPS:-20000}")
case $mode in
    "") ;;
    --miniature)
        photos=$(dirname "$0")/../examples graphics="" validation="" device=cpu
        real=(--batch 2 --set crop=13 --set small_crop=13 --steps 2 --drawn 2)
        mzsr=(--batch 1 --set images=2 --set patch=24 --set inner_steps=2 --steps 2)
        ;;
    *) echo "unknown option $mode; there is --miniature" >&2; exit 2 ;;
esac

data=()
IFS=: read -ra folders <<< "$photos"
for folder in "${folders[@]}"; do data+=(--data "$folder"); done
if [ -n "$graphics" ]; then
    IFS=: read -ra folders <<< "$graphics"
    for folder in "${folders[@]}"; do data+=(--extra "$folder"); done
fi
if [ -n "$validation" ]; then data+=(--validate "$validation"); fi
mkdir -p "$out"

# train OBJECTIVE NAME OPTIONS...: writes OUT/NAME.safetensors; an interrupted training is no error.
train() {
    local objective=$1 name=$2 code=0
    shift 2
    local words=(innersr train "$objective" --out "$out/$name.safetensors" "${data[@]}" --device "$device")
    words+=(--licence Apache-2.0 --set schedule=cooldown "$@")
    if [ -e "$out/$name.state.safetensors" ]; then words+=(--resume --may-change); fi
    if [ -n "${MINUTES:-}" ]; then words=(timeout --preserve-status --signal TERM "${MINUTES}m" "${words[@]}"); fi
    "${words[@]}" || code=$?
    if [ "$code" != 0 ] && { [ "$code" != 130 ] || [ -z "${MINUTES:-}" ]; }; then exit "$code"; fi
}

# Settings of docs/training.md, "tailor"; low rates, because the packaged prior is a good beginning.
train tailor real --initial tailor --set chains=true --set depth=16 --set x2=0.7 --set x3=0.1 --set x4=0.2 \
    --set fourier=0.01 --set learning_rate=4e-4 --set muon_rate=0.005 "${real[@]}"
train mzsr mzsr-direct-x2 --initial supervised-x2 "${mzsr[@]}"
train mzsr mzsr-direct-x2-lr --initial mzsr-direct-x2-lr --set subpixel=true "${mzsr[@]}"
