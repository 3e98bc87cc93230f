"""What `bench accept` found as one HTML page, with the facility drawn: it needs nothing else and no network."""

from __future__ import annotations

from .acceptance import AcceptResult, verdict_words
from .page import TEMPLATES
from .plots import COLOURS, INK, canvas, svg
from .sweep_page import speed_up_over, times_over
from .validation import MEASURED, NodeRecord, link_cell, remarks

# What stands for a node in the picture, beside each other: who says how many cores.
SOURCES = ("ordered", "built", "joined", "delivered")


def accept_page(result: AcceptResult) -> str:
    """The page."""
    validation = result.validation
    pairs = [row for row in validation.rows if len(row.nodes) == 2]
    linked = [each.name for each in validation.nodes if any(each.name in row.nodes for row in pairs)]
    measured = {(row.nodes[0], row.check): row for row in validation.rows if len(row.nodes) == 1}
    return TEMPLATES.get_template("accept.html.j2").render(
        result=result,
        words=[*verdict_words(result), *remarks(validation)],
        nodes_plot=nodes_plot(validation.nodes),
        efficiency_plot=efficiency_plot(result),
        sweep_plots=[plot for each in result.sweeps for plot in (speed_up_over(each), times_over(each)) if plot],
        checks=[check for check in MEASURED if any(check == each for _, each in measured)],
        measured=measured,
        linked=linked,
        links={(a, b): link_cell(a, b, pairs) for a in linked for b in linked},
    )


def cores_of(node: NodeRecord) -> tuple[float | None, ...]:
    """Cores of a node as each of the sources says."""
    return node.declared_cores, node.built_cores, node.joined_cores, node.delivered_together_cores


def nodes_plot(nodes: tuple[NodeRecord, ...]) -> str:
    """Cores of each node: ordered, built, joined, delivered."""
    figure, axes = canvas(height=high_of(len(nodes)))
    height = 0.8 / len(SOURCES)
    for number, (source, colour) in enumerate(zip(SOURCES, COLOURS, strict=False)):
        places = [index + (number - (len(SOURCES) - 1) / 2) * height for index in range(len(nodes))]
        axes.barh(places, [cores_of(node)[number] or 0 for node in nodes], height=height, color=colour, label=source)
    axes.set_yticks(range(len(nodes)), [node.name for node in nodes])
    axes.invert_yaxis()
    axes.set_xlabel("cores")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return svg(figure)


def efficiency_plot(result: AcceptResult) -> str:
    """Efficiency of each analysis and the site's floor; empty where no speed-up may be used."""
    usable = [each for each in result.analyses if each.efficiency is not None]
    if not usable:
        return ""
    figure, axes = canvas(height=high_of(len(usable)))
    axes.barh(range(len(usable)), [each.efficiency or 0 for each in usable], color=COLOURS[0], height=0.6)
    axes.set_yticks(range(len(usable)), [f"{each.workload}, {each.workers} workers" for each in usable])
    axes.invert_yaxis()
    if result.efficiency_share_min:
        axes.axvline(result.efficiency_share_min, color=COLOURS[1], lw=1.2, label="least of the site")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    axes.axvline(1, color=INK, lw=0.8, ls=":")
    axes.set_xlabel("speed-up per core delivered")
    axes.set_xlim(left=0)
    return svg(figure)


def high_of(bars: int) -> float:
    """Height of a picture of bars that lie, in inches."""
    return 1.2 + 0.6 * bars
