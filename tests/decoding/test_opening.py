import struct
import subprocess
import sys
import zlib

DECODE_AND_PRINT_SHAPE = """
import sys
from app.decoding import decode
from app.environment import set_pillow_switches
set_pillow_switches()
print(list(decode(sys.stdin.buffer.read(), max_pixels=10_000).shape))
"""


def test_warnings_of_pillow_about_metadata_are_ignored(samples: dict[str, bytes]) -> None:
    data = samples["png palette"]
    content = b"acTL" + struct.pack(">II", 0, 0)  # an animation of no frames
    chunk = struct.pack(">I", 8) + content + struct.pack(">I", zlib.crc32(content))
    command = [sys.executable, "-W", "error::UserWarning", "-c", DECODE_AND_PRINT_SHAPE]
    run = subprocess.run(command, input=data[:33] + chunk + data[33:], capture_output=True, check=True, timeout=120)
    assert run.stdout.strip() == b"[3, 37, 53]"
    assert run.stderr == b""
