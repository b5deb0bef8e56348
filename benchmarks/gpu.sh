#!/usr/bin/env bash
# All suites in float64 and float32 on whatever device JAX finds; results in $OUT, or benchmarks/results where it is unset.
# Further arguments go to the benchmark, e.g.: benchmarks/gpu.sh --lanes 100000 --repeats 5
set -euo pipefail
cd "$(dirname "$0")/.."
out="${OUT:-benchmarks/results}"
python="${PYTHON:-python3}"
"$python" -m benchmarks --out "$out" "$@"
"$python" -m benchmarks --float32 --out "$out" "$@"
