"""How large an exported starter is."""

MOST = 16_000_000


def check(folder, about):
    """Prints the size of each file of a checkpoint; ends the program where all together are too large for the repository."""
    sizes = {file.relative_to(folder): file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file()}
    for name, size in sizes.items():
        print(f"{size:>10}  {name}")
    total = sum(sizes.values())
    print(f"{total} bytes, {about}")
    if total > MOST:
        raise SystemExit("larger than 16 MB")
