"""pixels.py make PNG | compare PNG PNG: pictures for same_pixels.sh, with nothing but Python's standard library.

make writes a small RGBA picture whose alpha changes from place to place; compare prints "same", or how two pictures
differ, and then its exit status is 1.
"""
import struct
import sys
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by PNG's color type; what nst writes has no palette


# ---- PNG: https://www.w3.org/TR/png ----------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write(path, width, height, rgba_of):
    """8-bit RGBA; rgba_of(x, y) gives the four channels."""
    rows = b"".join(b"\0" + bytes(channel for x in range(width) for channel in rgba_of(x, y)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def paeth(left, above, corner):
    estimate = left + above - corner
    return min((left, above, corner), key=lambda value: abs(estimate - value))


def unfilter(kind, row, above, step):
    """Section 9.2; step: bytes of a pixel."""
    row = bytearray(row)
    for i, value in enumerate(row):
        left, corner = (row[i - step], above[i - step]) if i >= step else (0, 0)
        row[i] = (value + (0, left, above[i], (left + above[i]) // 2, paeth(left, above[i], corner))[kind]) & 255
    return row


def read(path):
    """(width, height, channels, bits), and all samples in one tuple."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != SIGNATURE:
        sys.exit(f"{path} is not a PNG file")
    compressed, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, bits, color, _, _, interlaced = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            compressed += body
        at += 12 + length
    if interlaced or color not in CHANNELS or bits not in (8, 16):
        sys.exit(f"{path} is a kind of PNG that is not read here")
    filtered, step = zlib.decompress(compressed), CHANNELS[color] * bits // 8
    samples, above = bytearray(), bytearray(width * step)
    for start in range(0, len(filtered), width * step + 1):
        above = unfilter(filtered[start], filtered[start + 1:start + 1 + width * step], above, step)
        samples += above
    layout = f">{len(samples) * 8 // bits}{'B' if bits == 8 else 'H'}"
    return (width, height, CHANNELS[color], bits), struct.unpack(layout, samples)


# ---- The two commands ------------------------------------------------------------------------------------------------


def make(path):
    write(path, 60, 44, lambda x, y: (x * 4, y * 5, (x * y) % 256, min(255, 8 * abs(x - y))))


def compare(path, other_path):
    form, samples = read(path)
    other_form, others = read(other_path)
    if form != other_form:
        return f"DIFFER: {form} became {other_form} (width, height, channels, bits)"
    distances = [abs(sample - other) for sample, other in zip(samples, others)]
    if not any(distances):
        return "same"
    share = sum(distance > 0 for distance in distances) / len(distances)
    return f"DIFFER: {100 * share:.3g} % of the samples, by at most {max(distances)} of {2 ** form[3] - 1}"


def main():
    command, *paths = sys.argv[1:] or [""]
    if command == "make" and len(paths) == 1:
        make(*paths)
    elif command == "compare" and len(paths) == 2:
        verdict = compare(*paths)
        print(verdict)
        sys.exit(verdict != "same")
    else:
        sys.exit(__doc__)


main()
