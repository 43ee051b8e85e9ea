"""Prints the tables of a benchmark on the terminal."""

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.ratios import spread

console = Console()


def show_stage(stage: dict) -> None:
    """Show one stage: cost of each way, ratio to the plain way, difference from its result."""
    reference = stage["reference"]
    compared = "" if reference == "plain" else f"; x is {reference} / this way"
    table = _table(f"{stage['stage']}: {stage['per']}{compared}")
    for head in ("wall s", "CPU s", "peak MB", "wall x", "CPU x", "diff"):
        table.add_column(head, justify="right", no_wrap=True)
    for way, found in stage["ways"].items():
        table.add_row(
            way,
            _seconds(found["wall_s"]),
            _seconds(found["cpu_s"]),
            f"{found['peak_mb']:.0f}",
            _ratio(found.get("wall_s_ratio")),
            _ratio(found.get("cpu_s_ratio")),
            _difference(found),
        )
    console.print(table)


def _table(title: str) -> Table:
    """An empty table with a column of names, for a terminal of 80 characters."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("", no_wrap=True)
    return table


def _seconds(values: list[float]) -> str:
    """The median, in milliseconds below 10 s."""
    middle = spread(values)[0]
    return f"{middle:.3f}" if middle < 10 else f"{middle:.1f}"


def _ratio(values: list[float] | None) -> str:
    """Median and range, as in "5.12 (4.93-5.31)"."""
    if not values:
        return ""
    middle, low, high = (
        f"{value:.2f}" if value < 10 else f"{value:.1f}" for value in spread(values)
    )
    return f"{middle} ({low}-{high})"


def _difference(found: dict) -> str:
    """In brackets if the results differ on purpose; red with `!` if the difference is too large."""
    if "difference" not in found:
        return ""
    text = f"{found['difference']:.0e}"
    if found["tolerance"] is None:
        return f"({text})"
    return text if found["agrees"] else f"[bold red]{text}![/]"


def show_comparison(rows: list[dict], new: dict, old: dict) -> None:
    """Show the ratios new / old, after the differences in machine, versions and settings."""
    for what in ("machine", "backends", "versions", "settings"):
        if changed := _changed(old[what], new[what]):
            console.print(f"[yellow]{what}: {changed}[/]")
    table = _table("new / old; faster or slower where their rounds do not overlap")
    for head in ("", "wall", "", "CPU", "", "peak memory"):
        table.add_column(head)
    for row in rows:
        wall, cpu, peak = (f"{row[name]:.2f}" for name in ("wall_s", "cpu_s", "peak_mb"))
        wall_change, cpu_change = row["wall_s_change"], row["cpu_s_change"]
        table.add_row(row["stage"], row["way"], wall, wall_change, cpu, cpu_change, peak)
    console.print(table)


def _changed(old: dict, new: dict) -> str:
    keys = [key for key in old | new if old.get(key) != new.get(key) and key != "load_before"]
    return ", ".join(f"{key} was {old.get(key)}, is {new.get(key)}" for key in keys)
