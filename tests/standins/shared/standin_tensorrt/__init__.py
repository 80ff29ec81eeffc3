"""What the stand-ins for TensorRT 10 and 11 have in common.

``tensorrt._members`` of the version on the path says which one this is (`MAJOR`) and which members its enumerations
have. Class bodies branch on it where the versions differ.
"""
