#!/bin/sh
# Pin what each image installs, with checksums: docker/requirements/*.lock from pyproject.toml. Needs uv (pip install uv).
#   TORCH_INDEX  where CPU builds of torch are; any option of uv can be set by its variables, such as UV_FIND_LINKS
set -eu
cd "$(dirname "$0")/.."
torch_index=${TORCH_INDEX-https://download.pytorch.org/whl/cpu}

lock() {
    image=$1
    shift
    uv pip compile --quiet --upgrade --no-header --generate-hashes --python-version 3.11 \
        --output-file "docker/requirements/$image.lock" "$@"
    echo "docker/requirements/$image.lock"
}

with_torch() {
    lock "$@" docker/requirements/torch-cpu.in \
        ${torch_index:+--extra-index-url "$torch_index" --index-strategy unsafe-best-match}
}

lock build docker/requirements/build.in
lock api pyproject.toml --extra postgres
with_torch profiler-cpu pyproject.toml --extra torch --extra openvino --extra fleet
with_torch search pyproject.toml --extra search --extra fleet
lock profiler-tensorrt pyproject.toml docker/requirements/tensorrt.in --extra fleet
