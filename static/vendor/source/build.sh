#!/bin/sh
# Makes ../blindrsa.js again, byte for byte, from what npm has.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
cd "$folder"
npm init --yes >/dev/null
npm install --ignore-scripts --no-audit --no-fund @cloudflare/blindrsa-ts@0.4.4 esbuild@0.25.12
cp "$here/entry.js" "$here/chance.js" .
npx esbuild entry.js --bundle --format=iife --target=es2022 --charset=utf8 --inject:chance.js \
  --legal-comments=inline --outfile="$here/../blindrsa.js"
rm -rf "$folder"
sha256sum "$here/../blindrsa.js"
