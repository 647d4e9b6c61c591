#!/bin/sh
# Verifies this record with coreutils, sed, find and openssl (1.1.1 or newer) alone: sh verify.sh
# Бұл жазбаны тексереді. / Проверяет эту запись. Exit status: 0 = everything holds.
set -u
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")" || exit 2
failed=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

say() { # result, what
    printf '%-6s  %s\n' "$1" "$2"
    if [ "$1" != OK ]; then failed=1; fi
}

note() { # what could not be checked
    printf '%-6s  %s\n' -- "$1"
}

sha() { sha256sum | cut -d ' ' -f 1; }

member() { # name of a text member of manifest.json, or of the file that is named second
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "${2:-manifest.json}"
}

for tool in openssl sha256sum sed cut mktemp sort find wc; do
    command -v "$tool" >/dev/null 2>&1 || { say FAILED "the program $tool is missing"; exit 2; }
done
for file in chain.jsonl manifest.json manifest.sig agent.pub SHA256SUMS; do
    [ -f "$file" ] || { say FAILED "$file is missing"; exit 1; }
done

if openssl pkeyutl -verify -pubin -inkey agent.pub -rawin -in manifest.json -sigfile manifest.sig >/dev/null 2>&1; then
    say OK "the manifest's signature (Ed25519)"
else
    say FAILED "the manifest's signature (Ed25519)"
fi

key=$(openssl pkey -pubin -in agent.pub -outform DER 2>/dev/null | sha)
if [ "$key" = "$(member key_sha256)" ]; then
    say OK "the key is the one the manifest names: $key"
else
    say FAILED "the key is not the one the manifest names"
fi

if [ "$(sha <chain.jsonl)" = "$(member chain_sha256)" ]; then
    say OK "the chain is the one the manifest names"
else
    say FAILED "the chain is not the one the manifest names"
fi

prev=0000000000000000000000000000000000000000000000000000000000000000
lines=0
broken=
while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    *"\"prev\":\"$prev\""*) ;;
    *) broken=${broken:-$lines} ;;
    esac
    prev=$(printf '%s' "$line" | sha)
    lines=$((lines + 1))
done <chain.jsonl
if [ -z "$broken" ] && [ "$prev" = "$(member chain_head)" ]; then
    say OK "every line of the chain follows the one before ($lines lines)"
else
    say FAILED "the chain is broken at line ${broken:-$lines}"
fi

sed -n '/"kind":"segment"/s/.*"file":"\([^"]*\)".*"sha256":"\([0-9a-f]*\)".*/\2  \1/p' chain.jsonl | sort >"$work/expected"
if [ "$(sort SHA256SUMS | sha)" = "$(sha <"$work/expected")" ]; then
    say OK "SHA256SUMS lists the segments of the chain"
else
    say FAILED "SHA256SUMS does not list the segments of the chain"
fi

count=$(wc -l <"$work/expected" | tr -d ' ')
if [ "$count" -eq 0 ]; then
    say OK "no segments"
elif sha256sum --check --strict --quiet "$work/expected"; then
    say OK "$count segments have the bytes that were recorded"
else
    say FAILED "segments are missing or altered"
fi

cut -c 67- "$work/expected" | sort >"$work/named"
find . -type f -path './*/*' | sed 's|^\./||' | sort >"$work/found"
if [ "$(sha <"$work/named")" = "$(sha <"$work/found")" ]; then
    say OK "there is no other media"
else
    say FAILED "there are files that the chain does not name, or some are missing"
fi

if [ ! -f receipt.json ]; then
    note "there is no receipt: nothing here says that the archive had the record"
elif [ ! -f archive.pub ] || [ ! -f receipt.sig ]; then
    say FAILED "a receipt without its signature or key"
else
    if openssl pkeyutl -verify -pubin -inkey archive.pub -rawin -in receipt.json -sigfile receipt.sig >/dev/null 2>&1; then
        say OK "the receipt's signature (Ed25519)"
    else
        say FAILED "the receipt's signature (Ed25519)"
    fi
    if [ "$(member manifest_sha256 receipt.json)" = "$(sha <manifest.json)" ] &&
        [ "$(member chain_head receipt.json)" = "$(member chain_head)" ] &&
        [ "$(member recording receipt.json)" = "$(member recording)" ]; then
        say OK "the receipt is for this record: the archive had all of it at $(member received receipt.json)"
    else
        say FAILED "the receipt is for another record"
    fi
    key=$(openssl pkey -pubin -in archive.pub -outform DER 2>/dev/null | sha)
    if [ "$key" != "$(member key_sha256 receipt.json)" ]; then
        say FAILED "the archive's key is not the one that the receipt names"
    elif [ -n "${ARCHIVE_KEY:-}" ] && [ "$key" != "$ARCHIVE_KEY" ]; then
        say FAILED "the archive's key is not the one that you gave: $key"
    else
        say OK "the archive's key: $key"
    fi
fi

if [ ! -f agent-key.json ]; then
    note "nothing here says whose key agent.pub is"
elif [ ! -f archive.pub ] || [ ! -f agent-key.sig ] || [ ! -f receipt.json ]; then
    say FAILED "a statement about the key without its signature, the archive's key or the receipt"
elif ! openssl pkeyutl -verify -pubin -inkey archive.pub -rawin -in agent-key.json -sigfile agent-key.sig >/dev/null 2>&1; then
    say FAILED "the archive's statement about the key (Ed25519)"
elif [ "$(member key_sha256 agent-key.json)" != "$(member key_sha256)" ]; then
    say FAILED "the archive's statement is about another key"
else
    whose="the key of $(member name agent-key.json) in $(member courtroom agent-key.json), says the archive"
    void=$(member void agent-key.json)
    received=$(member received receipt.json)
    first=$(printf '%s\n' "$void" "$received" | sort | sed -n 1p) # ISO 8601 in UTC: as text is as in time
    if [ -z "$void" ]; then
        say OK "$whose"
    elif [ "$first" = "$received" ] && [ "$void" != "$received" ]; then
        say OK "$whose; withdrawn from $void, when the archive had this record already"
    else
        say FAILED "$whose, but it counts for nothing from $void on ($(member reason agent-key.json))"
    fi
fi

if [ ! -f receipt.tsr ]; then
    note "there is no time stamp: only the archive says when it had the record"
elif [ ! -f receipt.json ] || [ ! -f tsa-ca.pem ]; then
    say FAILED "a time stamp without the receipt or the authority's certificate"
else
    stamped=$(openssl ts -reply -in receipt.tsr -text 2>/dev/null | sed -n 's/^Time stamp: //p')
    # Certificates end some day; what counts is that they were good then. (Not every date can read a date.)
    if moment=$(date -u -d "$stamped" +%s 2>/dev/null); then set -- -attime "$moment"; else set --; fi
    if openssl ts -verify -data receipt.json -in receipt.tsr -CAfile tsa-ca.pem "$@" >/dev/null 2>&1; then
        say OK "the time stamp over the receipt (RFC 3161): $stamped"
    else
        say FAILED "the time stamp over the receipt (RFC 3161)"
    fi
fi

if [ "$failed" -eq 0 ]; then
    echo "THE RECORD IS WHOLE AND UNCHANGED / ЖАЗБА ТОЛЫҚ ӘРІ ӨЗГЕРТІЛМЕГЕН / ЗАПИСЬ ЦЕЛА И НЕ ИЗМЕНЕНА"
else
    echo "THE RECORD DOES NOT HOLD / ЖАЗБА РАСТАЛМАДЫ / ЗАПИСЬ НЕ ПОДТВЕРЖДЕНА"
fi
exit "$failed"
