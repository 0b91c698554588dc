#!/bin/sh
# Generates Python code from the .proto files, in the folder gen or in FOLDER: ./generate.sh [FOLDER]
set -eu
gen=${1:-gen}
proto=$(cd "$(dirname "$0")/../../proto" && pwd)
mkdir -p "$gen"
set -- -I "$proto" --python_out="$gen" --grpc_python_out="$gen" "$proto"/replier/v1/replier.proto "$proto"/wechat/v1/*.proto
if plugin=$(command -v grpc_python_plugin); then # Debian, whose grpc_tools is too old for these files
    protoc --plugin=protoc-gen-grpc_python="$plugin" "$@"
else
    python3 -m grpc_tools.protoc "$@"
fi
