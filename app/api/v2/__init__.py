"""The Open Inference Protocol, version 2, over HTTP: https://github.com/kserve/open-inference-protocol.

With the binary tensor data extension. Tessera's own forms of the same are under `/v1`.
"""
