"""
A blur that is known
====================

The sharp picture is blurred and shrunk, and enlarged again: with the wrong blur, and with the right one. As the sharp
picture is known, PSNR says how near each result comes to it.
"""

import matplotlib.pyplot as plt

import innersr

sharp = innersr.read("../../examples/towers.png").colour[..., 60:160, 120:240]  # (1, 3, 100, 120) in [0, 1]
blurred = innersr.Degradation(scale=2, kernel=innersr.gaussian(2.0))
small = blurred(sharp)
method = innersr.Tailor(steps=0)
results = {
    "taken for unblurred": innersr.upscale(small, degradation=innersr.Degradation(scale=2), method=method),
    "the blur is known": innersr.upscale(small, degradation=blurred, method=method),
    "the sharp picture": sharp,
}

figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
for axis, (name, picture) in zip(axes, results.items(), strict=True):
    title = name if picture is sharp else f"{name}: {innersr.psnr_y(picture, sharp, 2):.1f} dB"
    axis.imshow(picture[0].permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest")
    axis.set(title=title, xticks=[], yticks=[])
plt.show()
