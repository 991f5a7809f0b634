"""The duration of the stages of one picture."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """The seconds of each stage.

    decode_s: reading the header and decoding
    queue_s: the time in which the picture waited
    device_s: the picture's share of the device time
    render_s: calibrating and rendering
    total_s: from the call to the answer
    """

    decode_s: float
    queue_s: float
    device_s: float
    render_s: float
    total_s: float
