"""The size that a coded picture really has, from its bit stream: the container around it may claim another.

A decoder makes room for the picture as its stream says. 100 bytes can claim 268 megapixels.
"""

from collections.abc import Iterator

from isic_screen.formats.photo_file import damaged, unpack

_SPS = 33  # of ITU-T H.265, 7.4.2.2
_SEQUENCE_HEADER = 1  # of AV1, 6.2.2
_MOST_HEADER_BYTES = 200
_MOST_UNITS = 100_000


class _Bits:
    """Numbers out of a string of bits, the most significant first."""

    def __init__(self, data: bytes) -> None:
        data = data[:_MOST_HEADER_BYTES]
        self._bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" if data else ""
        self._at = 0

    def take(self, count: int) -> int:
        self._at += count
        if self._at > len(self._bits):
            raise damaged()
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def exp_golomb(self) -> int:
        """`ue(v)` of H.265, `uvlc()` of AV1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def hevc_sizes(configuration: bytes, content: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) of every sequence parameter set in an `hvcC` box and in the item itself (ISO/IEC 14496-15)."""
    at = 23
    for _ in range(configuration[22]):
        count, at = unpack(">H", configuration, at + 1), at + 3
        for _ in range(count):
            length, at = unpack(">H", configuration, at), at + 2
            yield from _sps(configuration[at : at + length])
            at += length
    length_size, at = (configuration[21] & 3) + 1, 0
    for _ in range(_MOST_UNITS):
        if at + length_size >= len(content):
            return
        length, at = int.from_bytes(content[at : at + length_size], "big"), at + length_size
        yield from _sps(content[at : at + min(length, _MOST_HEADER_BYTES)])
        at += length
    raise damaged()


def _sps(unit: bytes) -> Iterator[tuple[int, int]]:
    if not unit or unit[0] >> 1 & 63 != _SPS:
        return
    bits = _Bits(unit[2:].replace(b"\0\0\x03", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.exp_golomb()
    if bits.exp_golomb() == 3:
        bits.take(1)
    yield bits.exp_golomb(), bits.exp_golomb()


def av1_sizes(configuration: bytes, content: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) of every sequence header in an `av1C` box and in the item itself (AV1, 5.5.1)."""
    for units in (configuration[4:], content):
        at = 0
        for _ in range(_MOST_UNITS):
            if at >= len(units):
                break
            head = units[at]
            at += 1 + (head >> 2 & 1)
            length, at = _leb128(units, at) if head >> 1 & 1 else (len(units) - at, at)
            if head >> 3 & 15 == _SEQUENCE_HEADER:
                yield _sequence_header(_Bits(units[at : at + length]))
            at += length
        else:
            raise damaged()


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for place in range(8):
        number |= (data[at + place] & 127) << 7 * place
        if data[at + place] < 128:
            return number, at + place + 1
    raise damaged()


def _sequence_header(bits: _Bits) -> tuple[int, int]:
    bits.take(3 + 1)
    if bits.take(1):
        bits.take(5)
    else:
        _operating_points(bits)
    wide, high = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(wide) + 1, bits.take(high) + 1


def _operating_points(bits: _Bits) -> None:
    delay_length = None
    if bits.take(1):
        bits.take(64)
        if bits.take(1):
            bits.exp_golomb()
        if bits.take(1):
            delay_length = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    has_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_length is not None and bits.take(1):
            bits.take(2 * delay_length + 1)
        if has_delay and bits.take(1):
            bits.take(4)
