"""Colour profiles for pictures that tell their colours by numbers (ITU-T H.273) in place of a profile."""

import struct

import numpy as np

_PRIMARIES = {  # red, green and blue as CIE xy; those of sRGB (1) and of what nobody stated need no profile
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # DCI-P3, here with the white of a display
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
_SRGB = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_D65 = (0.3127, 0.3290)
_D50 = np.array([0.9642, 1.0, 0.8249])  # of every profile (ICC.1, 7.2.16)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_STEPS = 4096
_PQ, _HLG, _LINEAR = 16, 18, 8
_WHITE = 203  # cd/m² of white paper in an HDR picture (ITU-R BT.2408): brighter is cut off, as a display of sRGB would


def profile_of(primaries: int, transfer: int) -> bytes | None:
    """An ICC profile of three primaries and a curve; None where the numbers mean sRGB, or nothing that is known."""
    if primaries not in _PRIMARIES and transfer not in (_PQ, _HLG, _LINEAR):
        return None
    columns = _to_d50(_PRIMARIES.get(primaries, _SRGB))
    curve = np.round(65535 * _to_linear(np.linspace(0, 1, _STEPS), transfer)).astype(">u2").tobytes()
    curve = b"curv" + bytes(4) + struct.pack(">I", _STEPS) + curve
    bodies = {b"wtpt": _xyz(_D50), b"cprt": b"text" + bytes(4) + b"none\0", b"desc": _DESCRIPTION}
    bodies |= {name: _xyz(columns[:, place]) for place, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return _icc({**bodies, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def _to_d50(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    """The columns XYZ of red, green and blue, for a white of D50."""
    directions = np.array([_whole(*xy) for xy in primaries]).T
    white = _whole(*_D65)
    columns = directions * np.linalg.solve(directions, white)
    gain = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: np.ndarray = np.linalg.inv(_BRADFORD) @ (gain[:, None] * _BRADFORD) @ columns
    return adapted


def _whole(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _to_linear(coded: np.ndarray, transfer: int) -> np.ndarray:
    if transfer == _PQ:  # SMPTE ST 2084
        power = coded ** (1 / 78.84375)
        light = (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
        return np.minimum(light * 10_000 / _WHITE, 1)
    if transfer == _HLG:  # BT.2100: made to be shown as it is by displays that know nothing of it
        return coded**2.4
    if transfer == _LINEAR:
        return coded
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


_DESCRIPTION = b"desc" + bytes(4) + struct.pack(">I", 5) + b"nclx\0" + bytes(78 + 1)


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _icc(bodies: dict[bytes, bytes]) -> bytes:
    """A display profile of version 2 (ICC.1:2001-04, 6)."""
    table, content, at = b"", b"", 128 + 4 + 12 * len(bodies)
    for name, body in bodies.items():
        table += name + struct.pack(">II", at + len(content), len(body))
        content += body + bytes(-len(body) % 4)
    header = struct.pack(">I4sI4s4s4s", at + len(content), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(bodies)) + table + content
