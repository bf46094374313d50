"""Amounts of bytes in sentences. Pages write them by the filter `bytes`, shorter."""


def amount(bytes_: int) -> str:
    """ "1.5 GiB" of 1610612736; whole where it is whole."""
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    number, place = float(bytes_), 0
    while number >= 1024 and place < len(units) - 1:
        number, place = number / 1024, place + 1
    return f"{number:.2f}".rstrip("0").rstrip(".") + f" {units[place]}"
