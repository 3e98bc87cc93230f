"""Training of the top tagger that the package ships."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from .datasets.files import replacing
from .terminal import Terminal
from .workloads.toptagger import TRAINED, model_path
from .workloads.toptagger_train import HELD_OUT_EVENTS, TRAINING_EVENTS, largest_change, train


def train_tagger(folder: Path, seed: int, terminal: Terminal) -> None:
    """Train all networks, write them to a folder, and say how they do on events that they have not seen."""
    table = Table(title=f"top tagger, seed {seed}, {HELD_OUT_EVENTS} held-out events", title_justify="left")
    for column in (
        "candidates",
        "true",
        "false",
        "area under the curve",
        "loose: score, efficiency",
        "tight",
        "shipped",
    ):
        table.add_column(column)
    for kind in TRAINED:
        with terminal.step(f"training for {kind.lower()} candidates of {TRAINING_EVENTS} generated events"):
            trained = train(kind, seed)
        with replacing(model_path(kind, folder)) as temporary:
            temporary.write_bytes(trained.model)
        change = largest_change(trained.model, model_path(kind).read_bytes())
        table.add_row(
            kind,
            f"{trained.n_true:,}",
            f"{trained.n_false:,}",
            f"{trained.area_under_curve:.4f}",
            f"> {trained.loose:g}, {trained.efficiency_loose:.1%}",
            f"> {trained.tight:g}, {trained.efficiency_tight:.1%}",
            "the same weights" if change == 0 else f"weights differ by up to {change:.2g}",
        )
    terminal.show(table)
    terminal.say(f"written: {', '.join(str(model_path(kind, folder)) for kind in TRAINED)}")
