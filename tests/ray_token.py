"""A token for the Ray clusters of this process. Ray reads the mode when it is imported: import this module before."""

import os
from secrets import token_hex

os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)}
