"""Least ranks of random ReLU layers, sampled as published and proved: figure 2 redone.

K. Beshkov, G. T. Einevoll (arXiv 2404.19710). A: torch's initialisation by width. B: normal weights
of mean mu. C: positive weights of which R rows are negated (rank selection, equation 10). D: K
inhibitory inputs of strength 3 (Dale's principle; inputs in [0, 5]). E: how often a rank-0 region
exists on all of R^3, with Z(n, m) / 2^n, Cover's and Wendel's theorem. Sampled: 100 uniform points.
Existence is not mass: a column has the share of the least rank. A search ends after 20 s (full: 1).
"""

import matplotlib.pyplot as plt
from gallery import COLOURS, asked, sampled_and_proved, write

import polyrank as pr

SMALL = {"A": ("2 5 10", [2, 5, 10, 25], 5), "B": ("5-12", [0, 0.02, 0.05, 0.1, 0.2], 5)}
SMALL |= {"C": ("5-16", range(0, 17, 2), 3), "D": ("6-12", range(1, 6), 3), "E": (10, 12)}
FULL = {"A": ("2 5 10 25 50", [2, 5, 10, 25, 50, 100], 100), "E": (14, 400)}
FULL |= {"B": ("10-25", [i / 100 for i in range(0, 21, 2)], 100)}
FULL |= {"C": ("25-100", range(1, 100, 8), 10), "D": ("50-100", range(1, 50, 3), 10)}
X = {"A": "units n", "B": "mean weight", "C": "negated rows R", "D": "inhibitory inputs K"}
HEADER = "panel,widths,parameter,rank,networks,sampled,lower,upper,proved,least_mass,theorem"


def points(size):
    """(panel, widths, parameter, box, networks, options) of every point of A to D."""
    ins, outs, number = size["A"]
    yield from (("A", f"{m}-{n}", n, (-5, 5), number, {}) for m in ins.split() for n in outs)
    for panel, box in (("B", (-5, 5)), ("C", (-5, 5)), ("D", (0, 5))):
        arch, values, number = size[panel]
        for v in values:
            laws = {"B": {"init": f"normal:{v},0.1"}, "C": {"init": "uniform:0,1", "flip": v}}
            yield panel, arch, v, box, number, laws.get(panel, {"init": f"dale:{v},3"})


def main():
    """Measure, write the table, draw the picture."""
    options = asked(__file__, __doc__)
    size, rows, drawn = (FULL, [], 100) if options.full else (SMALL, [], 1000)
    limits = {"seconds": options.seconds, "jobs": options.jobs}
    for panel, arch, x, box, number, law in points(size):
        measure = f"minrank,{'maxrank,' * (panel == 'D')}sample:100,mass:{drawn}"
        found = pr.ensemble(arch, pr.Box(*box), measure=measure, seeds=number, **limits, **law)
        for kind in ("min", "max") if panel == "D" else ("min",):
            names = (f"sample_{kind}_rank", f"{kind}_rank_lower", f"{kind}_rank_upper")
            means = [round(found.mean(name), 4) for name in names]
            mass = f"{found.mean('least_mass'):.4g}" if kind == "min" else ""
            proved = sum(found.column(f"{kind}_rank_proved"))
            rows.append([panel, arch, x, kind, number, *means, proved, mass, ""])
    last, number = size["E"]
    for n in range(1, last + 1):
        found = pr.ensemble(f"3-{n}", measure="minrank", seeds=number, **limits)
        share = found.column("min_rank_upper").count(0) / number
        theorem, proved = float(pr.bounds((3, n)).rank_0), sum(found.column("min_rank_proved"))
        rows.append(["E", f"3-{n}", n, "is 0", number, "", share, share, proved, "", theorem])
    write(options, "figure2", HEADER, rows, draw(rows))


def draw(rows):
    """Five panels, and what the lines mean."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    for panel, ax in zip("ABCDE", axes.flat, strict=False):
        lines, mine = {}, [r for r in rows if r[0] == panel]
        for row in mine:
            lines.setdefault(f"m = {row[1].split('-')[0]}, {row[3]}", []).append(row)
        for colour, (name, line) in zip(COLOURS, lines.items(), strict=False):
            x, sampled, low, high, theorem = ([r[i] for r in line] for i in (2, 5, 6, 7, 10))
            dashed, most = theorem if panel == "E" else sampled, name.endswith("max")
            sampled_and_proved(ax, x, dashed, low, high, colour, name, greatest=most)
        ax.set(title=f"{panel}: {mine[0][1]}" if panel in "BCD" else panel)
        ax.set(xlabel=X.get(panel, "units n"), ylabel="share" if panel == "E" else "mean rank")
        ax.legend(frameon=False)
    axes.flat[0].set_xscale("log", base=2)
    text = "solid: proved (E: share)\nbars: not settled\ndashed: 100 points (E: Z(n, 3) / 2ⁿ)"
    axes.flat[5].set_axis_off()
    axes.flat[5].text(0, 0.6, text, fontsize=11)
    return figure


if __name__ == "__main__":
    main()
