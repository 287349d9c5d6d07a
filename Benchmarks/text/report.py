"""Turns samples into medians, ratios and a table."""
import os
import platform
import re
import statistics
import subprocess
import time


def median(values):
    return statistics.median(values) if values else float("nan")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


class Table:
    """Samples of both sides by row. A row's ratio is the median over rounds of ours / peer within one round."""

    def __init__(self, foreign_limit):
        self.foreign_limit = foreign_limit
        self.rows = {}

    def add(self, group, name, unit, better, ours, peer, foreign):
        row = self.rows.setdefault((group, name), {"unit": unit, "better": better, "samples": []})
        row["samples"].append({"ours": ours, "peer": peer, "foreign": round(foreign, 3)})

    def result(self, row):
        """Medians over the quiet rounds; over the quieter half when fewer than three were quiet."""
        samples = sorted(row["samples"], key=lambda sample: sample["foreign"])
        quiet = [sample for sample in samples if sample["foreign"] <= self.foreign_limit]
        used = quiet if len(quiet) >= 3 else samples[:max(len(samples) // 2, min(len(samples), 3))]
        ratios = [sample["ours"] / sample["peer"] for sample in used if sample["peer"] and sample["ours"] is not None]
        return {
            "ours": median([sample["ours"] for sample in used if sample["ours"] is not None]),
            "peer": median([sample["peer"] for sample in used if sample["peer"] is not None]),
            "ratio": median(ratios), "least": min(ratios, default=None), "most": max(ratios, default=None),
            "rounds": len(used), "of": len(samples), "foreign": median([sample["foreign"] for sample in used]),
        }

    def as_json(self):
        return [
            {"group": group, "name": name, "unit": row["unit"], "better": row["better"], **self.result(row), "samples": row["samples"]}
            for (group, name), row in self.rows.items()
        ]

    def markdown(self, peer="llama-server"):
        lines = [f"| | ours | {peer} | ratio (range over rounds) | better | rounds |", "|---|---:|---:|---:|---|---:|"]
        previous = None
        for (group, name), row in self.rows.items():
            result = self.result(row)
            if group != previous:
                lines.append(f"| **{group}** | | | | | |")
                previous = group
            ratio = "" if result["least"] is None else f"**{result['ratio']:.2f}** ({result['least']:.2f}–{result['most']:.2f})"
            lines.append(
                f"| {name} | {number(result['ours'])} {row['unit']} | {number(result['peer'])} {row['unit']} | {ratio} | {row['better']} "
                f"| {result['rounds']} of {result['of']} |")
        return "\n".join(lines)


def number(value):
    if value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        return (done.stdout + done.stderr).strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return re.search(r"model name\s*:\s*(.*)", file.read()).group(1)
    except (OSError, AttributeError):
        return platform.processor() or platform.machine()


def facts(omni, peer, model):
    """What a reader needs to know to trust the numbers."""
    peer_version = [line for line in output_of(peer, "--version").splitlines() if line.startswith("version")] if peer else []
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{processor()}, {os.cpu_count()} cores, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB, {platform.system()} {platform.release()}",
        "ours": "omni " + (output_of(omni, "--version").splitlines() or ["?"])[0],
        "commit": output_of("git", "-C", os.path.dirname(os.path.abspath(__file__)), "describe", "--always", "--dirty"),
        "peer": "llama-server " + (peer_version[0] if peer_version else "?"),
        "model": os.path.basename(model),
    }
