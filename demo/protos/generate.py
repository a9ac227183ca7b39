"""Write the Python code of orders.proto: ``python -m demo.protos.generate`` in the root folder."""

import sys

from grpc_tools import protoc

OUTPUTS = ["--python_out=.", "--pyi_out=.", "--grpc_python_out=."]

if __name__ == "__main__":
    sys.exit(protoc.main(["protoc", "-I.", *OUTPUTS, "demo/protos/orders.proto"]))
