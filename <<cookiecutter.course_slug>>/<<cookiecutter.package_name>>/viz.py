"""Plots for the notebooks: the measurement stands in the cell, the drawing here.

Provided: you need not read it. Titles state what was found, so cells compute them. matplotlib is
imported where something is drawn: that takes a second, and grading draws nothing.
"""

import numpy as np

SIZE = (7, 4)  # inches; a notebook shows them at about 100 pixels each


def axes(title, xlabel="", ylabel="", size=SIZE, **settings):
    """Return new axes in the course's style; settings are those of matplotlib's Axes.set."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=size, layout="constrained")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, **settings)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.3)
    return ax


def lines(curves, title, xlabel, ylabel, log="", **settings):
    """Plot curves, {name: (x, y)}, with the name at the end of each; log names the log axes: "xy".

    Return the axes, for what a plot needs beside; show() ends it.
    """
    ax = axes(title, xlabel, ylabel, **settings)
    for name, (x, y) in curves.items():
        ax.plot(x, y, "o-" if len(x) < 20 else "-", linewidth=2, markersize=4, label=name)
    if "x" in log:
        ax.set_xscale("log", base=2 if is_doubling(curves) else 10)
    if "y" in log:
        ax.set_yscale("log")
    label_ends(ax)
    return ax


def is_doubling(curves):
    """Tell whether all x are powers of two, which then stand at the axis as they are."""
    return all(v > 0 and float(np.log2(v)).is_integer() for x, _ in curves.values() for v in x)


def label_ends(ax, gap=0.06):
    """Write the name of each line at its right end, moved up where two would overlap."""
    ax.autoscale_view()  # until then transData is that of empty axes
    ends = []
    for line in ax.get_lines():
        name = line.get_label()
        if name and not name.startswith("_"):
            x, y = line.get_xydata()[-1]
            height = ax.transAxes.inverted().transform(ax.transData.transform((x, y)))[1]
            ends.append([height, x, name, line.get_color()])
    lowest = -1.0
    for height, _, name, color in sorted(ends, key=lambda end: end[0]):
        lowest = max(lowest + gap, height)
        ax.annotate(
            name, (1.01, lowest), xycoords="axes fraction", color=color, va="center",
            annotation_clip=False,
        )  # fmt: skip


def bars(values, title, xlabel, form="{:.3g}"):
    """Draw a bar for each of values, {name: number}, with its number beside it; return the axes."""
    ax = axes(title, xlabel, size=(7, 0.9 + 0.42 * len(values)))
    drawn = ax.barh(list(values), list(values.values()), color="tab:blue", alpha=0.8)
    ax.bar_label(drawn, [form.format(v) for v in values.values()], padding=4)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.grid(visible=False, axis="y")
    return ax


def images(pictures, titles, title, columns=10):
    """Show small grey pictures, 2-D arrays, in rows, each below its title; return the figure."""
    import matplotlib.pyplot as plt

    rows = -(-len(pictures) // columns)
    figure, all_axes = plt.subplots(
        rows,
        columns,
        figsize=(0.8 * columns, 1.05 * rows + 0.4),
        layout="constrained",
        squeeze=False,
    )
    for ax in all_axes.flat:
        ax.set_axis_off()
    for ax, picture, text in zip(all_axes.flat, pictures, titles, strict=False):
        ax.imshow(picture, cmap="gray_r")
        ax.set_title(text, fontsize=9)
    figure.suptitle(title)
    return figure


def regions(classify, points, labels, title, steps=150):
    """Colour the plane by classify(array of (n, 2)), an array of n numbers, with points in it.

    0.5 is the boundary where classify gives probabilities; return the axes.
    """
    low, high = points.min(axis=0) - 0.4, points.max(axis=0) + 0.4
    x, y = (np.linspace(low[i], high[i], steps) for i in (0, 1))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    values = np.asarray(classify(grid), dtype=float).reshape(steps, steps)
    ax = axes(title, size=(4.6, 4.2), aspect="equal")
    ax.contourf(x, y, values, levels=20, cmap="RdBu_r", alpha=0.6)
    ax.contour(x, y, values, levels=[0.5], colors="black", linewidths=1)
    ax.scatter(*points.T, c=labels, cmap="RdBu_r", edgecolors="black", s=30)
    return ax


def show():
    """Show what was drawn."""
    import matplotlib.pyplot as plt

    plt.show()


# ---- Module 01


def roofline(points, bandwidth, peak, title):
    """Draw points, {name: (FLOP per byte, GFLOP/s)}, below the roof that both limits make."""
    ax = axes(title, "intensity (FLOP per byte)", "GFLOP/s")
    roof = np.logspace(-1.5, 3, 200)
    ax.loglog(roof, np.minimum(peak, roof * bandwidth), color="black", linewidth=2)
    for name, (intensity, speed) in points.items():
        ax.plot(intensity, speed, "o", color="tab:red")
        above = bandwidth * intensity > peak > 2 * speed  # far under the flat part
        place = {"xytext": (5, 4), "va": "bottom"} if above else {"xytext": (5, -5), "va": "top"}
        ax.annotate(name, (intensity, speed), textcoords="offset points", **place)
    bend = peak / bandwidth
    ax.annotate(f"{bandwidth:.0f} GB/s  ", (bend / 4, peak / 4), ha="right", va="bottom")
    ax.annotate(f"{peak:.0f} GFLOP/s", (bend, 1.2 * peak), va="bottom")
    ax.set_ylim(None, 4 * peak)
    return ax


# ---- Module 02: Activations


def dots(values, title, xlabel, form="{:.3g}", gray=()):
    """Draw a dot for each of values, {name: number}, on a log axis; return the axes.

    gray: names of those that the others are compared with.
    """
    ax = axes(title, xlabel, size=(7, 0.9 + 0.3 * len(values)))
    colors = ["0.55" if name in gray else "tab:blue" for name in values]
    ax.scatter(list(values.values()), list(values), c=colors, s=45, zorder=3)
    for row, value in enumerate(values.values()):
        text, place = form.format(value), {"textcoords": "offset points", "va": "center"}
        ax.annotate(text, (value, row), (9, 0), **place)
    ax.set_xscale("log")
    ax.margins(x=0.15)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    return ax


def corners(classify, points, labels, title):
    """Draw regions() with a few points, each with its label in it; return the axes."""
    ax = regions(classify, points, labels, title)
    ax.grid(visible=False)
    ax.collections[-1].set(sizes=[250], zorder=3)
    for point, label in zip(points, labels, strict=True):
        ax.annotate(str(label), point, color="white", ha="center", va="center", zorder=4)
    return ax


# ---- Module 06


def paths(panels, title, columns=3):
    """Draw the path of each of panels on the contours of its loss, in rows of small plots.

    A panel is a dict: title, loss (a function of x and y), path (2, steps + 1), goal, xlim, ylim,
    levels. Return the figure.
    """
    import matplotlib.pyplot as plt

    rows = -(-len(panels) // columns)
    size = 3.6 * columns, 2.6 * rows + 0.4
    figure, all_axes = plt.subplots(rows, columns, figsize=size, layout="constrained")
    for k, (ax, panel) in enumerate(zip(all_axes.flat, panels, strict=True)):
        x, y = np.meshgrid(*(np.linspace(*panel[lim], 160) for lim in ("xlim", "ylim")))
        levels = panel["levels"]
        ax.contour(x, y, panel["loss"](x, y), levels=levels, colors="lightgray", linewidths=0.8)
        ax.plot(*panel["path"], ".-", color=f"C{k % columns}", linewidth=1.2, markersize=4)
        ax.plot(*panel["path"][:, 0], "o", color="black", markersize=5)
        ax.plot(*panel["goal"], "*", color="black", markersize=12, zorder=5)
        ax.set(xlim=panel["xlim"], ylim=panel["ylim"])
        ax.set_title(panel["title"], fontsize=10)
    figure.suptitle(title)
    return figure
