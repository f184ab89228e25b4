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


def regions(classify, points, labels, title, steps=150, ax=None):
    """Colour the plane by classify(array of (n, 2)), an array of n numbers, with points in it.

    0.5 is the boundary where classify gives probabilities; return the axes, by default new ones.
    """
    low, high = points.min(axis=0) - 0.4, points.max(axis=0) + 0.4
    x, y = (np.linspace(low[i], high[i], steps) for i in (0, 1))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    values = np.asarray(classify(grid), dtype=float).reshape(steps, steps)
    ax = ax or axes(title, size=(4.6, 4.2))
    ax.set(title=title, aspect="equal")
    ax.contourf(x, y, values, levels=20, cmap="RdBu_r", alpha=0.6)
    ax.contour(x, y, values, levels=[0.5], colors="black", linewidths=1)
    ax.scatter(*points.T, c=labels, cmap="RdBu_r", edgecolors="black", s=30)
    return ax


def show():
    """Show what was drawn."""
    import matplotlib.pyplot as plt

    plt.show()


# ---- Tensor


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
<%- if cookiecutter.last_module >= '02' %>


# ---- Activations


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
<%- endif %>
<%- if cookiecutter.last_module >= '05' %>


# ---- Autograd


def panels(count, size=(3.6, 3.6)):
    """Return axes that stand side by side in one figure."""
    import matplotlib.pyplot as plt

    _, row = plt.subplots(1, count, figsize=(count * size[0], size[1]), layout="constrained")
    return list(row)


class Picture(str):
    """The text of an SVG, which a notebook shows as a picture, also one that it does not trust."""

    def _repr_html_(self):
        import base64

        data = base64.b64encode(self.encode()).decode()
        return f'<img src="data:image/svg+xml;base64,{data}" alt="graph of the computation">'

    def __repr__(self):
        return f"{type(self).__name__}({len(self)} characters of SVG)"


def draw(function, **names):
    """Return a picture of the graph of function(), after backward; draw(…, w=w) labels the leaf w.

    Boxes show what was computed and, below, its gradient: of inner results, too, for this picture
    only; the .grad of a leaf stays as it was. Where there are many numbers, they show the shape.
    Leaves are round. The function itself computes all that is drawn.
    """
    from . import testing

    result, steps = testing.record_operations(function)
    tensors = {t.grad_fn: t for t, _ in [*steps, (result, ())] if t.grad_fn}
    edges, found = {}, [result.grad_fn]
    for node in found:  # what was found grows on the way
        if node not in edges:
            edges[node] = [target for target, _ in node.edges]
            found += [target for target in edges[node] if not is_leaf(target)]
    for node in edges:
        node.edges.append((tensors[node], lambda g: g))  # so its .grad is kept
    leaves = {t: t.grad for targets in edges.values() for t in targets if is_leaf(t)}
    for leaf in leaves:
        leaf.grad = None
    labels = {id(tensor): name for name, tensor in names.items()}
    boxes = {}
    try:
        result.backward()
        for key in dict.fromkeys(t for node, targets in edges.items() for t in (node, *targets)):
            tensor = key if is_leaf(key) else tensors[key]
            name = labels.get(id(key), "leaf") if is_leaf(key) else key.name
            grad = in_few_words(tensor.grad)
            boxes[key] = (name, in_few_words(tensor.data), grad, is_leaf(key))
    finally:
        for leaf, grad in leaves.items():
            leaf.grad = grad
    order = sorted(edges, key=lambda node: node.number)
    return Picture(graph_svg(*arrange(order, edges), boxes))


def is_leaf(target):
    """Tell whether the target of an edge is a Tensor, not a Node."""
    return type(target).__name__ == "Tensor"


def in_few_words(array):
    """Return an array's numbers if they are few, or else its shape."""
    if np.size(array) > 3:
        return str(np.shape(array))
    numbers = ", ".join(f"{x:.4g}" for x in np.ravel(array))
    return numbers if np.ndim(array) == 0 else f"[{numbers}]"


def arrange(order, edges):
    """Return the place (x, y) of each box, and what each leads to; order: the oldest Node first.

    Each Node stands a level above its highest input. An arrow that passes levels gets a bend, a
    tuple, on each of them, so that there is room for it.
    """
    from itertools import pairwise

    level, after, place = {}, {}, {}
    for node in order:
        level[node] = 1 + max([level.get(t, 0) for t in edges[node]])
    for node in order:
        for t in filter(is_leaf, edges[node]):
            level[t] = min(level.get(t, level[node] - 1), level[node] - 1)
    for node in order:
        for k, t in enumerate(edges[node]):
            bends = [(node, k, n) for n in range(level[t] + 1, level[node])]
            level |= {bend: bend[2] for bend in bends}
            for here, there in pairwise([t, *bends, node]):
                after.setdefault(here, []).append(there)
    top = max(level.values())
    for n in reversed(range(top + 1)):
        ends = {k: [place[t][0] for t in after.get(k, [])] for k in level if level[k] == n}
        row = sorted(ends, key=lambda k, ends=ends: sum(ends[k]) / max(len(ends[k]), 1))
        for i, key in enumerate(row):  # each below what it leads to
            place[key] = (140 * (i - (len(row) - 1) / 2), 40 + 100 * (top - n))
    return place, after


def graph_svg(place, after, boxes):
    """Return the SVG text of boxes (name, data, gradient, round?) and the arrows between them."""
    low, high = (f(x for x, _ in place.values()) for f in (min, max))
    low, width = low - 80, high - low + 160
    height = 40 + max(y for _, y in place.values())
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="{low:g} 0 {width:g} {height:g}" font-family="Helvetica, Arial, sans-serif" '
        f'text-anchor="middle"><rect x="{low:g}" width="100%" height="100%" rx="10" '
        'fill="#fbfcfe"/><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#52606d"/></marker>'
    ]
    half = {key: 30 if key in boxes else 0 for key in place}  # the height of a box
    for there, (u, v) in place.items():
        sources = [k for k in after for t in after[k] if t is there]
        for n, k in enumerate(sorted(sources, key=lambda k: place[k][0])):
            (x, y), end = place[k], u + 20 * (n - (len(sources) - 1) / 2)
            y, z, tip = y - half[k], v + half[there], ' marker-end="url(#tip)"' * (there in boxes)
            curve = f"M{x:g} {y:g}C{x:g} {y - 22:g} {end:g} {z + 22:g} {end:g} {z:g}"
            svg.append(f'<path d="{curve}" fill="none" stroke="#52606d" stroke-width="1.4"{tip}/>')
    for key, (name, data, grad, is_round) in boxes.items():
        x, y = place[key]
        fill = "#dcefdc" if is_round else "#dbeafe"
        svg.append(
            f'<rect x="{x - 62:g}" y="{y - 30:g}" width="124" height="60" '
            f'rx="{30 if is_round else 5}" fill="{fill}" stroke="#52606d"/>'
            f'<text x="{x:g}" y="{y - 12:g}" font-size="14" font-weight="bold">{name}</text>'
            f'<text x="{x:g}" y="{y + 5:g}" font-size="13">{data}</text>'
            f'<text x="{x:g}" y="{y + 22:g}" font-size="13" fill="#c2570c">grad {grad}</text>'
        )
    return "".join(svg) + "</svg>"
<%- endif %>
<%- if cookiecutter.last_module >= '06' %>


# ---- Optimizers


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
<%- endif %>
<%- if cookiecutter.last_module >= '07' %>


# ---- Training


def stacked(rows, title, xlabel):
    """Draw a bar for each of rows, {name: {part: number}}, made of its parts; return the axes."""
    ax = axes(title, xlabel, size=(7, 1.3 + 0.42 * len(rows)))
    left = np.zeros(len(rows))
    for part in next(iter(rows.values())):
        values = np.array([parts[part] for parts in rows.values()])
        ax.barh(list(rows), values, left=left, label=part, alpha=0.85)
        left += values
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return ax


def confusion(table, title):
    """Draw how often row (what it is) was read as column; right answers are gray; return axes."""
    ax = axes(title, "read as", "is", size=(4.8, 4.4))
    ax.grid(visible=False)
    wrong = np.where(np.eye(len(table), dtype=bool), 0, table)
    ax.imshow(wrong, cmap="Oranges", vmax=max(1, 2 * wrong.max()))
    ticks = range(len(table))
    ax.set(xticks=ticks, yticks=ticks)
    for i, j in np.ndindex(table.shape):
        if table[i, j]:
            color = "gray" if i == j else "black"
            ax.text(j, i, table[i, j], ha="center", va="center", fontsize=9, color=color)
    return ax
<%- endif %>
