"""
Where a picture can teach
=========================

What learning from one picture relies on: parts of it that occur in it again, larger. The map is 1 where a patch is
perfectly explained by a larger one, and 0 where nothing is; the score is its mean.
"""

import matplotlib.pyplot as plt

import innersr

photo = innersr.read("../../examples/towers.png").colour
recurrence = innersr.recurrence_of(photo)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(photo[0].permute(1, 2, 0).numpy())
axes[1].imshow(recurrence.map.numpy(), cmap="inferno", vmin=0, vmax=1)
for axis, title in zip(axes, ("the photograph", f"recurrence {recurrence.score:.2f}"), strict=True):
    axis.set(title=title, xticks=[], yticks=[])
plt.show()
