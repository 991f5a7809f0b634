"""The Open Inference Protocol, version 2, over HTTP: https://github.com/kserve/open-inference-protocol.

Includes the binary tensor data extension. Tessera's own interface to the same service is under `/v1`.
"""
